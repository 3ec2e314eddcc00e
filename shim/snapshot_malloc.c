/* SPDX-License-Identifier: MIT */
/*
 * Asks the allocator that serves malloc: glibc is read as memory, the others have functions for it.
 * What cannot be told arena by arena is one row of its sums. Host's threads, signals blocked.
 */
#include "snapshot_malloc.h"

#include "snapshot_glibc.h"
#include "snapshot_others.h"
#include "totals_malloc.h"

static void add_sums(struct kp_heap *heap)
{
    struct kp_rec_arena *arena = kp_heap_arena(heap, KP_ARENA_TOTAL);

    if (!arena)
        return;
    kp_totals_of_malloc(&arena->in_use, &arena->size);
    arena->free = arena->in_use != KP_TOTAL_UNKNOWN && arena->size != KP_TOTAL_UNKNOWN &&
                          arena->size > arena->in_use
                      ? arena->size - arena->in_use
                      : KP_TOTAL_UNKNOWN;
}

void kp_snapshot_malloc(struct kp_heap *heap)
{
    const struct kp_malloc_calls *calls = kp_malloc_calls();

    if (calls->mi_process_info) {
        kp_snapshot_mimalloc(heap);
        return;
    }
    bool is_told = calls->mallctl             ? kp_snapshot_jemalloc(heap)
                   : calls->tcmalloc_property ? kp_snapshot_tcmalloc(heap)
                   : calls->mallinfo2         ? kp_snapshot_glibc(heap)
                                              : false;

    if (!is_told)
        add_sums(heap);
}
