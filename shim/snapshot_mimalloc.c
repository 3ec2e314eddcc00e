/* SPDX-License-Identifier: MIT */
/*
 * mimalloc lets a thread visit the areas of its own heap: where each lies, of which block size, and
 * how many blocks of it are given out. Beside them it holds what is resident of the segments that
 * they lie in; what it has committed there and not touched is nobody's memory. Other threads' heaps are
 * not to be visited; then what is in use is partial, and the sum of what mimalloc has committed is all
 * that there is. Versions 2 and 3 have the first five fields of an area in common; from 3.3 on the
 * heap of a thread has another name. Host's threads, without the guard.
 */
#include "scope.h"
#include "snapshot_others.h"
#include "totals_malloc.h"

#define CLASSES_MAX 128u
#define SEGMENTS_MAX 256u
#define SEGMENT_SHIFT 25 /* 32 MiB */
#define WHOLE_BYTES (128ull << 20) /* of areas, which are looked at one by one */
#define DRAWN_BYTES (64ull << 20)

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
    uint64_t segments[SEGMENTS_MAX]; /* their numbers */
    unsigned class_count, segment_count;
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

static void note_segment(struct walk *walk, uint64_t number)
{
    unsigned i = walk->segment_count;

    while (i > 0 && walk->segments[i - 1] != number)
        i--;
    if (i == 0 && walk->segment_count == SEGMENTS_MAX)
        walk->heap->is_partial = true;
    else if (i == 0)
        walk->segments[walk->segment_count++] = number;
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
    if (span == KP_HEAP_NO_SPAN)
        return true;
    note_segment(walk, start >> SEGMENT_SHIFT);
    uint64_t step = kp_heap_step(walk->heap), pieces = (area->committed + step - 1) / step;
    for (uint64_t i = 0; i < pieces; i++)
        kp_heap_is_free(walk->heap, span, start + i * step, (area->committed - used) / pieces);
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

/* What is resident of the segments beside the areas. */
static uint64_t beside_areas(struct walk *walk)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < walk->segment_count; i++) {
        uint64_t start = walk->segments[i] << SEGMENT_SHIFT;

        sum += kp_heap_resident_outside(walk->heap, start, start + (1ull << SEGMENT_SHIFT));
    }
    return sum > walk->arena->resident ? sum - walk->arena->resident : 0;
}

static uint64_t beyond_areas(const struct walk *walk)
{
    size_t committed = 0;

    kp_malloc_calls()->mi_process_info(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    return committed > walk->arena->size ? committed - walk->arena->size : 0;
}

/* Visits the areas of this thread; false: there is no such function. From 3.3 on full pages belong to
 * no thread, and what visits them too must not meet another one. */
static bool visit_areas(struct walk *walk)
{
    static const struct {
        const char *heap, *visit;
        bool of_all; /* threads: while there is only one */
    } names[] = {{"mi_heap_get_default", "mi_heap_visit_blocks", false},
                 {"mi_heap_main", "mi_heap_visit_blocks", true},
                 {"mi_theap_get_default", "mi_theap_visit_blocks", false}};
    const struct link_map *object = kp_malloc_calls()->object;

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        const void *(*own_heap)(void) =
            (const void *(*)(void))kp_scope_find(object, names[i].heap);
        bool (*visit_blocks)(const void *, bool, visit *, void *) =
            (bool (*)(const void *, bool, visit *, void *))kp_scope_find(object, names[i].visit);

        if (own_heap && visit_blocks && (is_only_thread() || !names[i].of_all)) {
            visit_blocks(own_heap(), false, visit_area, walk);
            return true;
        }
    }
    return false;
}

bool kp_snapshot_mimalloc(struct kp_heap *heap)
{
    size_t committed = 0;

    kp_malloc_calls()->mi_process_info(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    kp_heap_draw(heap, committed, WHOLE_BYTES, DRAWN_BYTES);
    struct kp_rec_arena *arena = kp_heap_arena(heap, KP_ARENA_MIMALLOC);
    struct walk walk = {.heap = heap, .arena = arena};

    if (!arena || !visit_areas(&walk)) {
        heap->arena_count -= arena != NULL;
        return false;
    }
    bool is_all = is_only_thread();

    kp_heap_complete(heap, arena);
    arena->is_partial |= !is_all;
    arena->trimmable = !is_all ? beyond_areas(&walk) : beside_areas(&walk);
    arena->size += arena->trimmable;
    arena->free = arena->size - arena->in_use;
    if (is_all && arena->resident != KP_TOTAL_UNKNOWN)
        arena->resident += arena->trimmable;
    add_classes(&walk);
    return true;
}
