/* SPDX-License-Identifier: MIT */
/*
 * The process that does a recorded sequence of calls again: kprof-ab started once more, with another
 * allocator preloaded. Its threads take turns, so that the order of all calls is the recorded one.
 */
#ifndef KP_AB_REPLAY_WORKER_H
#define KP_AB_REPLAY_WORKER_H

#include <stdint.h>

#define KP_AB_REPLAY_WORKER "replay-worker" /* argv[1] of that process; then the two files */

/* Exit status. */
int kp_ab_replay_worker(const char *log_path, const char *result_path);
/* What clocks say while a replay runs (ab_replay_clock.c); 0: what they are. */
extern uint64_t kp_ab_replay_now_ns;

#endif
