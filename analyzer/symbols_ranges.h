/* SPDX-License-Identifier: MIT */
/*
 * A sorted table of address ranges with a value each: functions of a symbol table, of a unit, units
 * of a file. Ranges may overlap or nest; the one that starts last (of those, the shortest) wins.
 * Fill it with kp_ranges_add, then kp_ranges_sort once, then look up.
 */
#ifndef KP_SYMBOLS_RANGES_H
#define KP_SYMBOLS_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct kp_range {
    uint64_t start, end; /* end is the first address after it */
    uint64_t max_end;    /* largest end up to here: where a search backwards may stop */
    uint64_t value;
};
struct kp_ranges {
    struct kp_range *all;
    size_t count, room;
};

int kp_ranges_add(struct kp_ranges *ranges, uint64_t start, uint64_t end, uint64_t value);
void kp_ranges_sort(struct kp_ranges *ranges);
void kp_ranges_release(struct kp_ranges *ranges);

/* The range that holds `address`, or NULL. */
const struct kp_range *kp_ranges_find(const struct kp_ranges *ranges, uint64_t address);
/* The last range that starts at `address` or below, or NULL. */
const struct kp_range *kp_ranges_below(const struct kp_ranges *ranges, uint64_t address);

#endif
