/* SPDX-License-Identifier: MIT */
/*
 * The allocator that serves malloc, for a snapshot.
 */
#ifndef KP_SNAPSHOT_MALLOC_H
#define KP_SNAPSHOT_MALLOC_H

#include "snapshot_heap.h"

/* Adds its arenas. Without the guard: it may be asked through its own functions. */
void kp_snapshot_malloc(struct kp_heap *heap);

#endif
