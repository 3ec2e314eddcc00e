/* SPDX-License-Identifier: MIT */
/*
 * tcmalloc by the C functions of its MallocExtension: one row, as its caches share one page heap.
 * Host's threads, without the guard.
 */
#include "snapshot_others.h"
#include "totals_malloc.h"

static uint64_t property(const char *name)
{
    size_t value = 0;

    return kp_malloc_calls()->tcmalloc_property(name, &value) ? value : KP_TOTAL_UNKNOWN;
}

bool kp_snapshot_tcmalloc(struct kp_heap *heap)
{
    uint64_t used = property("generic.current_allocated_bytes");
    uint64_t size = property("generic.heap_size");
    uint64_t given_back = property("tcmalloc.pageheap_unmapped_bytes");
    struct kp_rec_arena *arena;

    if (used == KP_TOTAL_UNKNOWN || size == KP_TOTAL_UNKNOWN)
        return false;
    arena = kp_heap_arena(heap, KP_ARENA_TCMALLOC);
    if (!arena)
        return false;
    arena->size = given_back < size ? size - given_back : size;
    arena->in_use = used;
    arena->free = arena->size > used ? arena->size - used : 0;
    arena->resident = arena->size;
    arena->trimmable = property("tcmalloc.pageheap_free_bytes");
    return true;
}
