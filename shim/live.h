/* SPDX-License-Identifier: MIT */
/*
 * Which pointers are sampled and still live. First the filter: one byte for each KiB of address
 * space (2 GiB, then it wraps), 0 where no live sample is, so that free() of a heap without samples
 * nearby costs one load. Where it is a single one the byte says which of the 64 places of 16 bytes
 * it has, so that its neighbours cost little more. Then an exact table: 64 shards of open
 * addressing with backward-shift deletion, so that nothing is left behind by what was freed.
 *
 * Neighbours in the heap are neighbours in the table, which saves misses of the cache.
 */
#ifndef KP_LIVE_H
#define KP_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#define KP_FILTER_BLOCK_SHIFT 10
#define KP_FILTER_BYTES (1u << 21)

extern uint8_t kp_filter[KP_FILTER_BYTES] __attribute__((visibility("hidden")));

static inline bool kp_filter_hit(const void *pointer)
{
    uintptr_t index = (uintptr_t)pointer >> KP_FILTER_BLOCK_SHIFT & (KP_FILTER_BYTES - 1);

    return __builtin_expect(kp_filter[index] != 0, 0);
}

/* The pointer will be inserted or taken soon: what that reads may come nearer meanwhile. */
void kp_live_expect(const void *pointer);

/* Remembers pointer as sample id. False when no memory was to be had. *stale is the id of an entry
 * that stood under the same pointer (its free was not seen), or 0. */
bool kp_live_insert(void *pointer, uint64_t id, uint64_t *stale);

/* Takes the pointer out and returns its id, or 0. With `only` not 0 just if that is its id. */
uint64_t kp_live_take(void *pointer, uint64_t only);

/* True when the pointer is surely not in the table; no lock. */
bool kp_live_misses(void *pointer);

/* For a signal handler that has interrupted the owner of the pointer's lock: the id, without it. */
bool kp_live_is_held_by_us(void *pointer);
uint64_t kp_live_peek(void *pointer);

/* Entries in the table, about. */
uint64_t kp_live_count(void);

/* Called once before the first insertion: makes the filter and table empty in forked children. */
bool kp_live_init(void);

#endif
