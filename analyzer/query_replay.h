/* SPDX-License-Identifier: MIT */
/*
 * Everything that a process asked of malloc, in one order: what kprof-ab replay does again. From a
 * database recorded with KPROF_KEEP=all and KPROF_RATE=1. Each thread's order is exact; between
 * threads it is that of the clock, and no block is freed before it is there. One thread.
 */
#ifndef KP_QUERY_REPLAY_H
#define KP_QUERY_REPLAY_H

#include "query.h"
#include "replay_log.h"

struct kp_replay_site {
    int64_t site_id, stack_id;
};

struct kp_replay_record {
    int64_t process_id, pid, lost; /* lost: samples and frees that are not in it */
    struct kp_replay_event *events;
    size_t event_count, allocations;
    uint32_t blocks;              /* numbered from 0 */
    uint32_t threads;             /* 0 is the main thread, the others in order of appearance */
    struct kp_replay_site *sites; /* kp_replay_event.site is an index */
    size_t site_count;
    size_t other_kinds; /* allocations that malloc had no part in: Python's own, mmap */
};

/* pid 0: the process with the most events. */
int kp_query_replay(struct kp_query *query, int64_t pid, struct kp_replay_record *record,
                    struct kp_error *error);
void kp_replay_record_release(struct kp_replay_record *record);

#endif
