/* SPDX-License-Identifier: MIT */
/*
 * The form in which a sequence of calls goes to the process that does them again: a file of events,
 * and back a file with what that process saw of itself. Depends on nothing.
 */
#ifndef KP_REPLAY_LOG_H
#define KP_REPLAY_LOG_H

#include <stdint.h>

#define KP_REPLAY_FREE UINT64_MAX
#define KP_REPLAY_NO_SITE UINT16_MAX
#define KP_REPLAY_MAGIC 0x796c7072666f7270ULL

struct kp_replay_event {
    uint64_t time_us; /* of the recording */
    uint64_t size; /* asked for; KP_REPLAY_FREE: the block is freed */
    uint32_t block;
    uint16_t thread;
    uint16_t site; /* also of a free: that of the block */
};
_Static_assert(sizeof(struct kp_replay_event) == 24, "replay event");

struct kp_replay_header {
    uint64_t magic, events;
    uint32_t blocks, threads;
    uint64_t skip; /* site that is left out; KP_REPLAY_NO_SITE: none */
};

#define KP_REPLAY_POINTS 256
struct kp_replay_point {
    uint64_t live; /* bytes asked for, of all that is replayed */
    uint64_t held; /* resident bytes more than before the first event */
};
struct kp_replay_result {
    uint64_t magic;
    uint64_t peak_held; /* by the kernel's own maximum */
    uint64_t peak_live;
    uint64_t failed; /* allocations that were refused */
    struct kp_replay_point points[KP_REPLAY_POINTS]; /* evenly over the events, the last at the end */
};

#endif
