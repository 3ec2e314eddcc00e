/* SPDX-License-Identifier: MIT */
/*
 * mimalloc lets a thread visit the areas of its own heap: where each lies, of which block size, and
 * how many blocks of it are given out. They are noted by the slices of 64 KiB that they lie in, so that
 * spans come in order of address, however the heap links its areas. Beside them it holds what is
 * resident of the segments that they lie in; what it has committed there and not touched is nobody's
 * memory.
 *
 * Other threads' heaps are not to be visited, and of a heap of gigabytes not all of it in the time that
 * a snapshot has: the rest of what mimalloc has committed is a row of its own, and its reader estimates
 * what of it is in use by the samples that are live. Versions 2 and 3 have the first five fields of an
 * area in common; from 3.3 on the heap of a thread has another name. Host's threads, without the guard.
 */
#include "scope.h"
#include "snapshot_others.h"
#include "sys.h"
#include "totals_malloc.h"

#define CLASSES_MAX 256u /* there are half as many */
#define SEGMENTS_MAX 512u
#define SEGMENT_SHIFT 25 /* 32 MiB */
#define SLICE_SHIFT 16
#define SLICE (1ull << SLICE_SHIFT)
#define SLICES (1u << (SEGMENT_SHIFT - SLICE_SHIFT)) /* of a segment */
#define WHOLE_BYTES (128ull << 20) /* of areas, which are looked at one by one */
#define DRAWN_BYTES (32ull << 20)
#define AREAS_A_LOOK 64u /* at the clock */
#define VISIT_SHARE 0.6  /* of the time */

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
    uint64_t end_cpu_us;
    unsigned areas;
    bool is_cut; /* time was over, or there were too many segments */
    struct size_class classes[CLASSES_MAX]; /* hashes; those without a size or a number are empty */
    uint64_t segments[SEGMENTS_MAX]; /* their numbers */
    uint32_t used[SEGMENTS_MAX][SLICES]; /* bytes given out, and 1; 0: no area that was visited */
};

static void count_class(struct walk *walk, const struct area *area, uint64_t used)
{
    uint64_t at = area->block_bytes * 0x9e3779b97f4a7c15u >> 56;
    struct size_class *sums = &walk->classes[at];

    for (unsigned tries = 0; sums->block_bytes && sums->block_bytes != area->block_bytes; tries++) {
        if (tries == CLASSES_MAX)
            return;
        sums = &walk->classes[++at % CLASSES_MAX];
    }
    sums->block_bytes = area->block_bytes;
    sums->size += area->committed;
    sums->used += used;
}

/* Of the slices of a segment; segments mostly follow each other. NULL: there are too many. */
static uint32_t *used_of(struct walk *walk, uint64_t number)
{
    for (uint64_t i = number; i < number + SEGMENTS_MAX; i++) {
        uint64_t *known = &walk->segments[i % SEGMENTS_MAX];

        if (!*known)
            *known = number;
        if (*known == number)
            return walk->used[i % SEGMENTS_MAX];
    }
    return NULL;
}

/* Which of its blocks are free is not told: all slices of an area get the same share. */
static void note_slices(struct walk *walk, uint64_t start, uint64_t bytes, uint64_t used)
{
    double share = (double)used / (double)bytes;

    for (uint64_t end = start + bytes, next; start < end && !walk->is_cut; start = next) {
        uint32_t *slices = used_of(walk, start >> SEGMENT_SHIFT);

        next = ((start >> SLICE_SHIFT) + 1) << SLICE_SHIFT;
        next = next < end ? next : end;
        if (slices)
            slices[start >> SLICE_SHIFT & (SLICES - 1)] +=
                (uint32_t)((double)(next - start) * share) + 1;
        walk->is_cut = !slices;
    }
}

static bool visit_area(const void *heap, const struct area *area, void *block, size_t bytes,
                       void *to)
{
    struct walk *walk = to;
    uint64_t used = (uint64_t)area->used * area->block_bytes;

    (void)heap, (void)block, (void)bytes;
    if (walk->areas++ % AREAS_A_LOOK == 0 && kp_heap_is_over(walk->end_cpu_us))
        walk->is_cut = true;
    if (walk->is_cut || !area->committed)
        return !walk->is_cut;
    if (used > area->committed)
        used = area->committed;
    walk->arena->in_use += used;
    walk->arena->size += area->committed;
    count_class(walk, area, used);
    note_slices(walk, (uintptr_t)area->blocks, area->committed, used);
    return true;
}

/* Visits the areas of this thread; false: there is no such function. From 3.3 on full pages belong to
 * no thread, and what visits them too must not meet another one. */
static bool visit_areas(struct walk *walk, bool is_only_thread)
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

        if (own_heap && visit_blocks && (is_only_thread || !names[i].of_all)) {
            visit_blocks(own_heap(), false, visit_area, walk);
            return true;
        }
    }
    return false;
}

/* The cells of slices get what is not given out of them in equal parts. */
static void empty_slices(struct walk *walk, uint32_t span, uint64_t start, uint64_t end,
                         const uint32_t *used)
{
    uint64_t step = kp_heap_step(walk->heap), cells = SLICE / step;

    for (; start < end; start += SLICE, used++)
        for (uint64_t i = 0; i < cells && *used < SLICE; i++)
            kp_heap_is_free(walk->heap, span, start + i * step, (SLICE - *used) / cells);
}

static void add_span(struct walk *walk, uint64_t start, uint64_t end, const uint32_t *used)
{
    uint32_t span = kp_heap_span(walk->heap, walk->arena, start, end);
    bool is_seen;

    for (uint64_t at = start, next; span != KP_HEAP_NO_SPAN && at < end; at = next) {
        next = kp_heap_stretch(walk->heap, walk->arena->index, at, end, &is_seen);
        if (is_seen)
            empty_slices(walk, span, at, next, used + ((at - start) >> SLICE_SHIFT));
    }
}

/* Slices of areas that follow each other are a span. */
static void add_spans(struct walk *walk, uint64_t base, const uint32_t *used)
{
    for (unsigned i = 0, first; i < SLICES; i++) {
        for (first = i; i < SLICES && used[i]; i++)
            ;
        if (first < i)
            add_span(walk, base + first * SLICE, base + i * SLICE, used + first);
    }
}

static void add_classes(struct walk *walk)
{
    for (unsigned i = 0; i < CLASSES_MAX; i++) {
        const struct size_class *sums = &walk->classes[i];
        struct kp_rec_arena *record =
            sums->block_bytes ? kp_heap_arena(walk->heap, KP_ARENA_MIMALLOC_CLASS) : NULL;

        if (!record)
            continue;
        record->unit = sums->block_bytes;
        record->size = sums->size;
        record->in_use = sums->used;
        record->free = sums->size - sums->used;
        record->is_partial = walk->is_cut;
    }
}

static bool is_only_thread(void)
{
    extern char __libc_single_threaded __attribute__((weak));

    return &__libc_single_threaded && __libc_single_threaded;
}

/* From 3.0 on there are no segments: what lies beside areas may be a mapping of somebody else. */
static bool has_segments(void)
{
    int (*version)(void) =
        (int (*)(void))kp_scope_find(kp_malloc_calls()->object, "mi_version");

    return version && version() < 300;
}

/* What is resident of the segments beside the areas: when all of them have been visited, it is free. */
static void add_beside(struct walk *walk)
{
    struct kp_rec_arena *arena = walk->arena;
    uint64_t sum = 0;

    for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
        uint64_t start = walk->segments[i] << SEGMENT_SHIFT;

        if (start)
            sum += kp_heap_resident_outside(walk->heap, start, start + (1ull << SEGMENT_SHIFT));
    }
    arena->trimmable = sum > arena->resident ? sum - arena->resident : 0;
    arena->size += arena->trimmable;
    arena->free += arena->trimmable;
    arena->resident += arena->trimmable;
}

static uint64_t committed_bytes(const struct kp_heap *heap)
{
    size_t committed = 0;

    kp_malloc_calls()->mi_process_info(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    return committed < heap->anonymous ? committed : heap->anonymous;
}

/* What no area tells of. */
static void add_rest(struct kp_heap *heap, uint64_t committed, uint64_t seen)
{
    struct kp_rec_arena *rest =
        committed > seen ? kp_heap_arena(heap, KP_ARENA_MIMALLOC_REST) : NULL;

    if (!rest)
        return;
    rest->size = rest->in_use = committed - seen;
    rest->is_partial = KP_ARENA_CUT;
    heap->is_partial = true;
}

static void look(struct walk *walk, uint64_t committed)
{
    struct kp_rec_arena *arena = walk->arena;
    bool is_alone = is_only_thread();

    if (!visit_areas(walk, is_alone)) {
        walk->heap->arena_count--;
        add_rest(walk->heap, committed, 0);
        return;
    }
    arena->resident = 0;
    for (unsigned i = 0; i < SEGMENTS_MAX; i++)
        if (walk->segments[i])
            add_spans(walk, walk->segments[i] << SEGMENT_SHIFT, walk->used[i]);
    kp_heap_complete(walk->heap, arena);
    arena->free = arena->size - arena->in_use;
    if (!is_alone || walk->is_cut)
        add_rest(walk->heap, committed, arena->resident);
    else if (has_segments())
        add_beside(walk);
    add_classes(walk);
}

void kp_snapshot_mimalloc(struct kp_heap *heap)
{
    uint64_t committed = committed_bytes(heap);
    struct walk *walk = kp_sys_map(sizeof *walk);

    kp_heap_draw(heap, committed, WHOLE_BYTES, DRAWN_BYTES);
    struct kp_rec_arena *arena = walk ? kp_heap_arena(heap, KP_ARENA_MIMALLOC) : NULL;
    if (arena) {
        walk->heap = heap;
        walk->arena = arena;
        walk->end_cpu_us = kp_heap_time(heap, VISIT_SHARE);
        look(walk, committed);
    }
    if (walk)
        kp_sys_unmap(walk, sizeof *walk);
}
