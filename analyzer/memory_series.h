/* SPDX-License-Identifier: MIT */
/*
 * Readings of a process's memory from outside, and how many of them are kept: when there are more
 * than KP_READINGS_MAX, every second one is dropped and the period doubles, so that a run of days
 * keeps a few hundred. A reading with PSS (from smaps) is preferred to one without. One thread.
 */
#ifndef KP_MEMORY_SERIES_H
#define KP_MEMORY_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_READINGS_MAX 1000u
#define KP_READING_PERIOD_US 100000u

struct kp_reading {
    uint64_t time_us;
    uint64_t rss;
    uint64_t pss, private_bytes, anonymous, swap; /* only if has_detail */
    uint32_t threads;
    bool has_detail;
    bool stored;
};

struct kp_memory_series {
    struct kp_reading *readings;
    size_t capacity;
    uint32_t count;
    uint64_t period_us; /* 0: the first one */
    uint64_t peak_rss;
    uint64_t *dropped; /* times of rows to delete */
    size_t dropped_capacity, dropped_count;
    bool dirty;
};

/* Is it time for another reading? */
bool kp_memory_series_is_due(const struct kp_memory_series *series, uint64_t now_us);
void kp_memory_series_add(struct kp_memory_series *series, const struct kp_reading *reading);
/* Puts back a reading that has a row. */
void kp_memory_series_load(struct kp_memory_series *series, const struct kp_reading *reading);
void kp_memory_series_settle(struct kp_memory_series *series);
void kp_memory_series_release(struct kp_memory_series *series);

#endif
