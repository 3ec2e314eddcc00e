/* SPDX-License-Identifier: MIT */
/*
 * mimalloc lets a thread visit the areas of its own heap: where each lies, of which block size, and
 * how many blocks of it are given out. Other threads' heaps are not to be visited; then what is in
 * use is partial, and the sum of what mimalloc has committed is all that there is. Versions 2 and 3
 * have the first five fields of an area in common. Host's threads, without the guard.
 */
#include "scope.h"
#include "snapshot_others.h"
#include "totals_malloc.h"

#define CLASSES_MAX 128u

struct area {
    void *blocks;
    size_t reserved, committed, used, block_bytes;
};
typedef bool visit(const void *heap, const struct area *area, void *block, size_t bytes, void *to);

struct size_class {
    size_t block_bytes, size, used;
};
struct walk {
    struct kp_heap *heap;
    struct kp_rec_arena *arena;
    struct size_class classes[CLASSES_MAX];
    unsigned class_count;
};

static void count_class(struct walk *walk, const struct area *area)
{
    unsigned i = 0;

    while (i < walk->class_count && walk->classes[i].block_bytes != area->block_bytes)
        i++;
    if (i == CLASSES_MAX)
        return;
    if (i == walk->class_count)
        walk->classes[walk->class_count++] = (struct size_class){area->block_bytes, 0, 0};
    walk->classes[i].size += area->committed;
    walk->classes[i].used += area->used * area->block_bytes;
}

/* Which of its blocks are free is not told: all cells of an area get the same share. */
static bool visit_area(const void *heap, const struct area *area, void *block, size_t bytes,
                       void *to)
{
    struct walk *walk = to;
    uint64_t used = (uint64_t)area->used * area->block_bytes, start = (uintptr_t)area->blocks;

    (void)heap, (void)block, (void)bytes;
    if (!area->committed)
        return true;
    if (used > area->committed)
        used = area->committed;
    walk->arena->in_use += used;
    walk->arena->size += area->committed;
    count_class(walk, area);
    uint32_t span = kp_heap_span(walk->heap, walk->arena, start, start + area->committed);
    uint64_t pieces = (area->committed + 4095) / 4096, free_bytes = area->committed - used;
    for (uint64_t i = 0; span != KP_HEAP_NO_SPAN && i < pieces; i++)
        kp_heap_is_free(walk->heap, span, start + i * 4096, free_bytes / pieces);
    return true;
}

static void add_classes(struct walk *walk)
{
    for (unsigned i = 0; i < walk->class_count; i++) {
        const struct size_class *sums = &walk->classes[i];
        struct kp_rec_arena *record = kp_heap_arena(walk->heap, KP_ARENA_MIMALLOC_CLASS);

        if (!record)
            return;
        record->unit = sums->block_bytes;
        record->size = sums->size;
        record->in_use = sums->used;
        record->free = sums->size > sums->used ? sums->size - sums->used : 0;
    }
}

static bool is_only_thread(void)
{
    extern char __libc_single_threaded __attribute__((weak));

    return &__libc_single_threaded && __libc_single_threaded;
}

bool kp_snapshot_mimalloc(struct kp_heap *heap)
{
    const struct link_map *object = kp_malloc_calls()->object;
    const void *(*own_heap)(void) = (const void *(*)(void))kp_scope_find(object, "mi_heap_get_default");
    bool (*visit_blocks)(const void *, bool, visit *, void *) =
        (bool (*)(const void *, bool, visit *, void *))kp_scope_find(object, "mi_heap_visit_blocks");
    struct walk walk = {.heap = heap};
    size_t committed = 0;

    if (!own_heap || !visit_blocks)
        return false;
    walk.arena = kp_heap_arena(heap, KP_ARENA_MIMALLOC);
    if (!walk.arena)
        return false;
    visit_blocks(own_heap(), false, visit_area, &walk);
    kp_malloc_calls()->mi_process_info(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    walk.arena->trimmable = committed > walk.arena->size ? committed - walk.arena->size : 0;
    walk.arena->size += walk.arena->trimmable;
    walk.arena->free = walk.arena->size - walk.arena->in_use;
    walk.arena->is_partial = !is_only_thread();
    add_classes(&walk);
    return true;
}
