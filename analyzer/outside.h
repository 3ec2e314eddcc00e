/* SPDX-License-Identifier: MIT */
/*
 * The mappings of a process as the collector has last read them from outside (/proc/PID/smaps), on
 * its slow clock. A snapshot that the process has taken while it ran knows its heap and its RSS; what
 * else is resident comes from here, so that a process that is killed is explained as well as one
 * that ends. One thread.
 */
#ifndef KP_OUTSIDE_H
#define KP_OUTSIDE_H

#include "memory_series.h"
#include "smaps.h"
#include "snapshot_table.h"

struct kp_outside_mapping {
    struct kp_smaps_mapping said; /* but for the path */
    char *path;
};

struct kp_outside {
    struct kp_outside_mapping *all; /* those of which anything is resident, in order of address */
    size_t capacity, count;
    uint64_t time_us;
};

/* Reads them, and the details of `reading`, whose time it is. False: they cannot be had. */
bool kp_outside_read(struct kp_outside *outside, uint32_t outer_pid, struct kp_reading *reading);

/* Gives a snapshot that has none its mappings; its spans are in order. What the shim has said of its
 * own memory is taken out of it. */
void kp_outside_give(const struct kp_outside *outside, struct kp_snapshot *snapshot);

void kp_outside_release(struct kp_outside *outside);

#endif
