/* SPDX-License-Identifier: MIT */
/*
 * One run of the program: started in a process group of its own, watched from outside, ended when it
 * takes too long or the user has had enough. One thread.
 */
#ifndef KP_AB_LAUNCH_H
#define KP_AB_LAUNCH_H

#include "ab_comparison.h"
#include "ab_ring.h"
#include "ab_tree.h"
#include "error.h"

#include <stdbool.h>

struct kp_ab_launcher {
    char **command;
    double timeout_s; /* 0: none */
    bool keep_output; /* the command writes where kprof-ab does */
    struct kp_ab_ring *ring;
    struct kp_ab_tree tree;
    /* Called every few hundredths of a second. */
    void (*tick)(void *context);
    void *tick_context;
};

/* What was seen of one run. */
struct kp_ab_watch {
    uint64_t started_ns, ended_ns; /* CLOCK_BOOTTIME */
    int status;                    /* of wait */
    bool timed_out, interrupted;
    double cpu_s, minor_faults, max_rss;
    long own_max_rss; /* of kprof-ab itself, in KiB */
    struct kp_ab_sample *samples; /* time since the start */
    size_t capacity, count;
    uint64_t sample_every_ns;
    char said[160]; /* last line on stderr */
    int left_over;  /* processes that had to be ended */
};

/* environment: all variables of the run. Returns 0 when there was a run, however it ended. */
int kp_ab_launch(struct kp_ab_launcher *launcher, char **environment, struct kp_ab_watch *watch,
                 struct kp_error *error);
/* Waits for the collector of a recorded run: what it takes is none of the next run's. */
void kp_ab_launch_rest(void);
void kp_ab_watch_release(struct kp_ab_watch *watch);

/* Once, before the first run: signals are waited for, orphans adopted. */
void kp_ab_launch_prepare(void);

#endif
