/* SPDX-License-Identifier: MIT */
/*
 * Python's own allocator, for a snapshot: its arenas are told to us as they come and go.
 */
#ifndef KP_SNAPSHOT_PYMALLOC_H
#define KP_SNAPSHOT_PYMALLOC_H

#include "snapshot_heap.h"

/* An arena was taken, or is about to be given back. Any thread. */
void kp_pymalloc_arena_came(void *arena, size_t bytes);
void kp_pymalloc_arena_goes(void *arena);

/* In blocks given out, KP_TOTAL_UNKNOWN. With the GIL held: nobody else changes a pool. */
uint64_t kp_pymalloc_used_bytes(void);

/* Adds them, and their size classes. */
void kp_snapshot_pymalloc(struct kp_heap *heap);

#endif
