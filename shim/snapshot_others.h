/* SPDX-License-Identifier: MIT */
/*
 * Allocators other than glibc's, for a snapshot: each asked through the functions that it exports.
 * False: it does not tell more than its sums. Without the guard, as they may map memory.
 */
#ifndef KP_SNAPSHOT_OTHERS_H
#define KP_SNAPSHOT_OTHERS_H

#include "snapshot_heap.h"

bool kp_snapshot_jemalloc(struct kp_heap *heap);
bool kp_snapshot_tcmalloc(struct kp_heap *heap);
/* Always tells; what it cannot see is a row of its own. */
void kp_snapshot_mimalloc(struct kp_heap *heap);

#endif
