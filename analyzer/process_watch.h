/* SPDX-License-Identifier: MIT */
/*
 * Recorded processes seen from outside, through /proc: whether one still runs, and what memory it
 * has. A pid is not enough: it may have been given to another process since, and it may be one of
 * another pid namespace (a container's), where /proc/PID/status tells what it is called in there.
 * Reading takes a bounded share of the time. One thread.
 */
#ifndef KP_PROCESS_WATCH_H
#define KP_PROCESS_WATCH_H

#include "memory_series.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_watched {
    uint32_t pid;          /* as it calls itself */
    uint64_t pid_namespace; /* that it calls itself so in; 0: the one of the recording */
    uint64_t joined_ns;    /* it is not younger than this */
    uint32_t outer_pid;    /* here; 0: not found yet */
    uint64_t start_ticks;  /* of the process found, 0: not found yet */
    uint32_t threads;
    uint64_t rss;
    bool dead; /* once true, it stays so */
};

struct kp_watch_alias {
    uint64_t pid_namespace; /* 0: may not be looked at */
    uint32_t inner, outer;
};

struct kp_watch {
    uint64_t start_boottime_ns;
    uint64_t pid_namespace; /* of the recording */
    bool has_no_proc;     /* kill() must tell who lives */
    bool proc_is_foreign; /* /proc shows other pids than getpid() */
    uint64_t own_namespace; /* ours */
    bool has_rebooted;      /* the recording is from before this boot */
    long ticks_per_second, page_bytes;
    struct kp_watch_alias *aliases; /* of processes in other namespaces, as last read */
    size_t alias_capacity, alias_count;
    uint64_t aliases_read_ns;
};

void kp_watch_init(struct kp_watch *watch, const struct kp_spool_header *header);
void kp_watch_release(struct kp_watch *watch);

/* Looks at the process now; fills threads and rss while it runs. A zombie has ended. */
bool kp_watch_is_alive(struct kp_watch *watch, struct kp_watched *watched);

/* Of one that has ended: is the kernel still at taking it down? */
bool kp_watch_is_leaving(const struct kp_watched *watched);
/* Time since the session's start. */
uint64_t kp_watch_now_us(const struct kp_watch *watch);

#endif
