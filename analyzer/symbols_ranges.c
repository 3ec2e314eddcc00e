/* SPDX-License-Identifier: MIT */
/*
 * Sorted ranges with binary search. max_end makes the search for an enclosing range stop early in
 * files whose ranges do not nest (all but hand-written assembly); KP_RANGES_BACK bounds it in files
 * that were damaged or made to be slow. Runs in the collector and the reports, on one thread.
 */
#include "symbols_ranges.h"

#include <stdlib.h>

#define KP_RANGES_BACK 4096 /* entries looked at before giving up */

int kp_ranges_add(struct kp_ranges *ranges, uint64_t start, uint64_t end, uint64_t value)
{
    if (ranges->count == ranges->room) {
        size_t room = ranges->room ? ranges->room * 2 : 64;
        struct kp_range *all = realloc(ranges->all, room * sizeof *all);
        if (!all)
            return -1;
        ranges->all = all;
        ranges->room = room;
    }
    ranges->all[ranges->count++] = (struct kp_range){start, end, 0, value};
    return 0;
}

/* The shorter of two that start together comes last, where the search meets it first. */
static int compare(const void *left, const void *right)
{
    const struct kp_range *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->end != b->end)
        return a->end > b->end ? -1 : 1;
    return (a->value > b->value) - (a->value < b->value);
}

void kp_ranges_sort(struct kp_ranges *ranges)
{
    uint64_t max_end = 0;
    if (ranges->count)
        qsort(ranges->all, ranges->count, sizeof *ranges->all, compare);
    for (size_t i = 0; i < ranges->count; i++) {
        if (ranges->all[i].end > max_end)
            max_end = ranges->all[i].end;
        ranges->all[i].max_end = max_end;
    }
}

void kp_ranges_release(struct kp_ranges *ranges)
{
    free(ranges->all);
    *ranges = (struct kp_ranges){0};
}

const struct kp_range *kp_ranges_below(const struct kp_ranges *ranges, uint64_t address)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->all[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &ranges->all[low - 1] : NULL;
}

const struct kp_range *kp_ranges_find(const struct kp_ranges *ranges, uint64_t address)
{
    const struct kp_range *range = kp_ranges_below(ranges, address);
    if (!range)
        return NULL;
    for (int i = 0; i < KP_RANGES_BACK && range->max_end > address; i++, range--) {
        if (range->end > address)
            return range;
        if (range == ranges->all)
            break;
    }
    return NULL;
}
