/* SPDX-License-Identifier: MIT */
/*
 * What a process allocated and freed over time, in slices. They start at 0.1 s; whenever a process
 * has more than KP_SLICES_MAX of them, neighbours are joined and the width doubles, so that a run
 * of days has no more rows than one of a minute. Slices begin at multiples of their width, counted
 * from the session's start. Only memory is counted (kp_kind_is_memory()). One thread.
 */
#ifndef KP_TIMELINE_H
#define KP_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_SLICES_MAX 600u
#define KP_SLICE_FIRST_US 100000u

struct kp_slice_sums {
    uint64_t samples;
    double allocated_bytes, allocated_count, freed_bytes, freed_count;
    uint64_t rate_min, rate_max; /* 0: no sample in it */
    bool used, dirty;
};

struct kp_slices {
    struct kp_slice_sums *slices; /* of [first, first + count) */
    size_t capacity;
    uint64_t first; /* index of the first one: its start is first * slice_us */
    uint32_t count;
    uint64_t slice_us;
    bool rewrite; /* all rows are of an older width: replace them */
    bool dirty;
};

/* Adds to the slice of this moment. */
void kp_slices_add(struct kp_slices *timeline, uint64_t time_us, const struct kp_slice_sums *what);
/* Puts back a slice that was read from the database; slice_us must be set. */
void kp_slices_load(struct kp_slices *timeline, uint64_t start_us,
                    const struct kp_slice_sums *what);
void kp_slices_settle(struct kp_slices *timeline);
void kp_slices_release(struct kp_slices *timeline);

#endif
