/* SPDX-License-Identifier: MIT */
/*
 * A dense array of slices that widens at either end, see timeline.h.
 */
#include "timeline.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void slice_add(struct kp_slice_sums *to, const struct kp_slice_sums *what)
{
    to->samples += what->samples;
    to->allocated_bytes += what->allocated_bytes;
    to->allocated_count += what->allocated_count;
    to->freed_bytes += what->freed_bytes;
    to->freed_count += what->freed_count;
    if (what->rate_min && (!to->rate_min || what->rate_min < to->rate_min))
        to->rate_min = what->rate_min;
    if (what->rate_max > to->rate_max)
        to->rate_max = what->rate_max;
    to->used = true;
}

/* Joins neighbours, so that each slice is twice as wide. */
static void widen(struct kp_slices *timeline)
{
    uint64_t first = timeline->first / 2;
    uint32_t count = 0;

    for (uint32_t i = 0; i < timeline->count; i++) {
        struct kp_slice_sums slice = timeline->slices[i];
        uint32_t to = (uint32_t)((timeline->first + i) / 2 - first);

        if (to >= count) {
            timeline->slices[to] = (struct kp_slice_sums){0};
            count = to + 1;
        }
        if (slice.used)
            slice_add(&timeline->slices[to], &slice);
    }
    timeline->first = first;
    timeline->count = count;
    timeline->slice_us *= 2;
    timeline->rewrite = timeline->dirty = true;
}

static bool fits(const struct kp_slices *timeline, uint64_t index)
{
    uint64_t first = index < timeline->first ? index : timeline->first;
    uint64_t last = timeline->first + timeline->count - 1;

    return (index > last ? index : last) - first < KP_SLICES_MAX;
}

static void extend(struct kp_slices *timeline, uint64_t index)
{
    uint64_t before = index < timeline->first ? timeline->first - index : 0;
    uint64_t end = timeline->first + timeline->count;
    uint32_t count =
        timeline->count + (uint32_t)before + (index >= end ? (uint32_t)(index - end + 1) : 0);

    timeline->slices =
        kp_array_grow(timeline->slices, &timeline->capacity, count, sizeof *timeline->slices);
    memmove(timeline->slices + before, timeline->slices,
            timeline->count * sizeof *timeline->slices);
    memset(timeline->slices, 0, before * sizeof *timeline->slices);
    memset(timeline->slices + before + timeline->count, 0,
           (count - timeline->count - before) * sizeof *timeline->slices);
    timeline->first -= before;
    timeline->count = count;
}

static struct kp_slice_sums *slice_at(struct kp_slices *timeline, uint64_t time_us)
{
    if (!timeline->slice_us)
        timeline->slice_us = KP_SLICE_FIRST_US;
    if (!timeline->count)
        timeline->first = time_us / timeline->slice_us;
    while (timeline->count && !fits(timeline, time_us / timeline->slice_us))
        widen(timeline);
    uint64_t index = time_us / timeline->slice_us;

    if (index < timeline->first || index >= timeline->first + timeline->count)
        extend(timeline, index);
    return &timeline->slices[index - timeline->first];
}

void kp_slices_add(struct kp_slices *timeline, uint64_t time_us, const struct kp_slice_sums *what)
{
    struct kp_slice_sums *slice = slice_at(timeline, time_us);

    slice_add(slice, what);
    slice->dirty = timeline->dirty = true;
}

void kp_slices_load(struct kp_slices *timeline, uint64_t start_us, const struct kp_slice_sums *what)
{
    slice_add(slice_at(timeline, start_us), what);
}

void kp_slices_settle(struct kp_slices *timeline)
{
    for (uint32_t i = 0; i < timeline->count; i++)
        timeline->slices[i].dirty = false;
    timeline->rewrite = timeline->dirty = false;
}

void kp_slices_release(struct kp_slices *timeline)
{
    free(timeline->slices);
    memset(timeline, 0, sizeof *timeline);
}
