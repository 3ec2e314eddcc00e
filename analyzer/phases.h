/* SPDX-License-Identifier: MIT */
/*
 * What the life of one process went into: its main thread's time, and what all threads allocated
 * meanwhile. The life runs from the start of the program to its end; docs/database.md defines the
 * phases. A moment of the main thread belongs to its sample that is nearest in time: the time
 * between two samples is halved. One thread.
 *
 * A killed collector's sums are put back with the load functions; from then on only the time after
 * what they cover is looked at.
 */
#ifndef KP_PHASES_H
#define KP_PHASES_H

#include "import_context.h"
#include "import_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kp_phase {
    KP_PHASE_START_UP,
    KP_PHASE_IMPORTS,
    KP_PHASE_COLD,
    KP_PHASE_WARM,
    KP_PHASE_OTHER,
    KP_PHASE_COUNT
};

/* By the number of marks so far: 0, 1, more. */
enum kp_marked { KP_NO_MARK, KP_ONE_MARK, KP_MORE_MARKS, KP_MARKED };

struct kp_mark_time {
    uint64_t iteration; /* 0: there is none */
    int64_t time_us;
};

/* An import on the main thread's stack. */
struct kp_open_import {
    uint32_t place;
    uint32_t module;              /* the last that was known here; 0: none so far */
    struct kp_phase_sums pending; /* of one that is not known yet */
};

/* All times are in us since the session's start, where the life may have begun before. */
struct kp_phases {
    struct kp_phase_sums loaded[KP_PHASE_COUNT];
    double loaded_us; /* of life that is in `loaded` */
    struct kp_phase_sums start_up;
    struct kp_phase_sums imports[KP_MARKED];
    struct kp_phase_sums others[KP_MARKED]; /* bytes and blocks only */
    bool shows_python; /* Python's frames can be read */
    bool is_started;   /* start-up is over */
    bool dirty;
    int64_t started_us;
    bool is_begin_marked; /* marks are at the begin of iterations, not at the end */
    struct kp_mark_time first_mark, second_mark, last_mark;
    bool has_first_begin;   /* of the first iteration, where the marks are at the end */
    int64_t first_begin_us;
    struct kp_phase_sums set_up_imports, set_up; /* what was there before it */

    struct kp_import_table modules;
    struct kp_open_import *open; /* of the main thread, outermost first */
    size_t open_capacity;
    uint32_t open_count;
    bool has_last;   /* a sample of the main thread has been seen */
    int64_t last_us; /* its time, */
    uint32_t last_module;               /* the import it was in, 0: not known */
    enum kp_marked last_marked;
    uint32_t program;       /* outermost code of the program */
    bool is_in_program;     /* it is on the stack of the last sample */
    int64_t program_end_us; /* last time seen there */
};

struct kp_phases_sample {
    bool is_main;   /* of the main thread */
    bool is_memory; /* counts as allocated */
    uint32_t stack;
    uint64_t time_us, iteration;
    double bytes, count;
};

/* How a process lived: what phases need to know of it. */
struct kp_phases_life {
    int64_t start_us, end_us; /* of its own code; until now, while it runs */
    int64_t gone_us;          /* when the kernel was through with it; 0: not known */
    bool is_python;
    bool is_forked; /* it never started up */
    bool is_exit;   /* it ended by itself: it had come to the end of what it did */
};

void kp_phases_release(struct kp_phases *phases);

void kp_phases_sample(struct kp_phases *phases, struct kp_import_contexts *contexts,
                      const struct kp_phases_life *life, const struct kp_phases_sample *sample);
void kp_phases_mark(struct kp_phases *phases, uint64_t iteration, uint64_t time_us);
/* The same, set by the main thread: which is in no import then. */
void kp_phases_main_mark(struct kp_phases *phases, struct kp_import_contexts *contexts,
                         uint64_t iteration, uint64_t time_us);
/* The first iteration begins, of which only the end will be marked. `contexts` is NULL when it is
 * not the main thread that says so. */
void kp_phases_first_begin(struct kp_phases *phases, struct kp_import_contexts *contexts,
                           uint64_t time_us);
/* The process has ended: what is still open finds its place. */
void kp_phases_end(struct kp_phases *phases, struct kp_import_contexts *contexts,
                   const struct kp_phases_life *life);

/* The sums so far; their times add up to the life. False: the process has no phases. */
bool kp_phases_sum(const struct kp_phases *phases, const struct kp_phases_life *life,
                   struct kp_phase_sums sums[KP_PHASE_COUNT]);
/* An import that never showed what it imports, by the innermost one around it that did. */
#define KP_PHASES_UNNAMED "(imported by %s)"
#define KP_PHASES_PROGRAM "the program"

/* Puts back a row of a killed collector; when its modules are there as well, settles what was not
 * known to be of any of them. */
void kp_phases_load(struct kp_phases *phases, enum kp_phase phase,
                    const struct kp_phase_sums *what);
void kp_phases_loaded(struct kp_phases *phases, struct kp_import_contexts *contexts);
void kp_phases_settle(struct kp_phases *phases);

/* 'start-up', ... and back; KP_PHASE_COUNT: no such name. */
const char *kp_phase_name(enum kp_phase phase);
enum kp_phase kp_phase_from_name(const char *name);

#endif
