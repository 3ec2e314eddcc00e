/* SPDX-License-Identifier: MIT */
/*
 * Sampled mappings. Unlike a block, a mapping can lose its head, its tail or its middle, be moved,
 * or be mapped over: so they are kept as ranges, each with the id of its sample.
 */
#ifndef KP_RANGES_H
#define KP_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Held with the guard set; the cookie stands in the caller's frame. */
bool kp_ranges_lock(uint64_t *cookie);
void kp_ranges_unlock(void);

/* Under the lock. */
struct kp_range {
    uintptr_t start, end;
    uint64_t id;
    bool is_arena; /* of an allocator that is told by itself */
};
void kp_ranges_add(const struct kp_range *range);
/* The range at place i; NULL: there is none. */
const struct kp_range *kp_ranges_at(size_t i);
/* [start, start + bytes) is no longer what it was: ends or shrinks the samples in it, if any. */
bool kp_ranges_cut(uintptr_t start, size_t bytes);

#endif
