/* SPDX-License-Identifier: MIT */
/*
 * Python's arenas are cut into pools of one size class each; a pool begins with a header that says
 * which, and how many of its blocks are given out. The headers are read without the GIL: a figure
 * that changes meanwhile is a little off, but no arena goes away while the list is locked. Pages
 * that are not resident are not touched. Host's threads.
 *
 * Headers lie a pool apart, each a cache miss of its own: they are fetched ahead. Of large heaps
 * those in windows that are drawn are read (snapshot_heap.h), and stand for all.
 */
#include "snapshot_pymalloc.h"

#include "own_list.h"
#include "python.h"
#include "state.h"

#define BLOCK_STEP 16u
#define CLASSES 32u
#define SMALL_ARENA (256u << 10) /* up to 3.9, with smaller pools */
#define AHEAD 8u /* pools that are fetched before they are read */
#define LARGE_POOL 16384u
#define POOLS_LOOKED_AT 3072u /* together */

/* As in Python's obmalloc. */
struct pool_header {
    uint64_t used; /* blocks: the low half */
    void *free_block;
    struct pool_header *next, *previous;
    uint32_t arena, size_class, next_offset, max_offset;
};

struct held_arena {
    uintptr_t start;
    size_t bytes;
};
static union {
    struct kp_own_list list;
    struct {
        struct held_arena *all;
        size_t count, capacity;
    };
} held;

static size_t pool_bytes = LARGE_POOL;

struct class_sums {
    uint64_t pools, blocks;
};
struct walk {
    struct kp_heap *heap;
    struct kp_rec_arena *record;
    uint64_t free_run; /* of neighbouring pools */
    struct class_sums classes[CLASSES];
};

static bool lock(uint64_t *cookie)
{
    if (!kp_guard_enter(cookie))
        return false;
    if (kp_spin_lock(&kp_state.pymalloc_lock))
        return true;
    kp_guard_leave();
    return false;
}

static void unlock(void)
{
    kp_spin_unlock(&kp_state.pymalloc_lock);
    kp_guard_leave();
}

void kp_pymalloc_arena_came(void *arena, size_t bytes)
{
    uint64_t cookie;

    if (!lock(&cookie))
        return;
    if (bytes == SMALL_ARENA)
        pool_bytes = 4096;
    if (kp_own_list_has_room(&held.list, sizeof *held.all))
        held.all[held.count++] = (struct held_arena){(uintptr_t)arena, bytes};
    unlock();
}

void kp_pymalloc_arena_goes(void *arena)
{
    uint64_t cookie;

    if (!lock(&cookie))
        return;
    for (size_t i = held.count; i-- > 0;)
        if (held.all[i].start == (uintptr_t)arena) {
            held.all[i] = held.all[--held.count];
            break;
        }
    unlock();
}

static void end_free_run(struct walk *walk)
{
    if (walk->free_run > walk->record->largest_free)
        walk->record->largest_free = walk->free_run;
    walk->free_run = 0;
}

static uint64_t block_bytes_of(const struct pool_header *pool)
{
    return (uint64_t)(pool->size_class + 1) * BLOCK_STEP;
}

/* That are given out; 0 if it is no pool. */
static uint32_t blocks_of(const struct pool_header *pool)
{
    uint32_t blocks = (uint32_t)pool->used;

    return pool->size_class < CLASSES &&
                   blocks <= (pool_bytes - sizeof *pool) / block_bytes_of(pool)
               ? blocks
               : 0;
}

/* Bytes of it that are given out. */
static uint64_t used_of(struct walk *walk, const struct pool_header *pool)
{
    uint32_t blocks = blocks_of(pool);

    if (!blocks)
        return 0;
    walk->classes[pool->size_class].pools++;
    walk->classes[pool->size_class].blocks += blocks;
    return blocks * block_bytes_of(pool);
}

/* What is free in a pool may be anywhere in it: all its cells get the same share. */
static void count_pool(struct walk *walk, uint32_t span, uintptr_t pool)
{
    uint64_t used = 0, page = 4096;

    if (kp_heap_resident(walk->heap, span, pool, page))
        used = used_of(walk, (const struct pool_header *)pool);
    walk->record->in_use += used;
    if (used)
        end_free_run(walk);
    else
        walk->free_run += pool_bytes;
    uint64_t free_bytes = pool_bytes - used, step = kp_heap_step(walk->heap);
    uint64_t pieces = pool_bytes > step ? pool_bytes / step : 1;
    for (uint64_t i = 0; i < pieces; i++)
        kp_heap_is_free(walk->heap, span, pool + i * step, free_bytes / pieces);
}

/* Between the pieces before the first pool and behind the last. */
static uintptr_t first_pool(const struct held_arena *arena)
{
    return (arena->start + pool_bytes - 1) & ~(pool_bytes - 1);
}

static uintptr_t end_of_pools(const struct held_arena *arena)
{
    return (arena->start + arena->bytes) & ~(pool_bytes - 1);
}

static void count_pools(struct walk *walk, const struct held_arena *arena, uint32_t span)
{
    uintptr_t pool = first_pool(arena), last = end_of_pools(arena), next;
    bool is_seen;

    kp_heap_is_free(walk->heap, span, arena->start, pool - arena->start);
    kp_heap_is_free(walk->heap, span, last, arena->start + arena->bytes - last);
    for (; pool < last; pool = next) {
        next = kp_heap_stretch(walk->heap, walk->record->index, pool, last, &is_seen);
        for (; is_seen && pool < next; pool += pool_bytes)
            count_pool(walk, span, pool);
        end_free_run(walk);
    }
}

static void prefetch_headers(const struct walk *walk, const struct held_arena *arena)
{
    uintptr_t pool = first_pool(arena), last = end_of_pools(arena), next;
    bool is_seen;

    for (; pool < last; pool = next) {
        next = kp_heap_stretch(walk->heap, walk->record->index, pool, last, &is_seen);
        for (; is_seen && pool < next; pool += pool_bytes)
            __builtin_prefetch((const void *)pool);
    }
}

static void add_classes(struct kp_heap *heap, const struct walk *walk, double factor)
{
    for (unsigned i = 0; i < CLASSES; i++) {
        const struct class_sums *sums = &walk->classes[i];
        struct kp_rec_arena *record =
            sums->pools ? kp_heap_arena(heap, KP_ARENA_PYMALLOC_CLASS) : NULL;

        if (!record)
            continue;
        record->unit = (i + 1) * BLOCK_STEP;
        record->size = (uint64_t)((double)(sums->pools * pool_bytes) * factor);
        record->in_use = (uint64_t)((double)(sums->blocks * record->unit) * factor);
        record->free = record->size - record->in_use;
    }
}

/* What is resident of all arenas, and their pools. */
static void count_arenas(struct walk *walk)
{
    struct kp_heap *heap = walk->heap;
    struct kp_rec_arena *record = walk->record;
    uint32_t first = heap->span_count;

    for (size_t i = 0; i < held.count; i++)
        kp_heap_span(heap, record, held.all[i].start, held.all[i].start + held.all[i].bytes);
    prefetch_headers(walk, &held.all[0]);
    for (size_t i = 0; i < held.count && first + i < heap->span_count; i++) {
        if (i + 1 < held.count)
            prefetch_headers(walk, &held.all[i + 1]);
        if (held.all[i].bytes >= SMALL_ARENA)
            count_pools(walk, &held.all[i], first + (uint32_t)i);
    }
    double factor = kp_heap_factor(heap, record);
    kp_heap_complete(heap, record);
    record->in_use = (uint64_t)((double)record->in_use * factor);
    record->free = record->size > record->in_use ? record->size - record->in_use : 0;
    add_classes(heap, walk, factor);
}

void kp_snapshot_pymalloc(struct kp_heap *heap)
{
    uint64_t look_bytes = POOLS_LOOKED_AT * pool_bytes, bytes = 0, cookie;
    struct walk walk = {.heap = heap};

    if (!kp_python.is_found || !held.count || kp_python.is_free_threaded || !lock(&cookie))
        return;
    for (size_t i = 0; i < held.count; i++)
        bytes += held.all[i].bytes;
    kp_heap_draw(heap, bytes, look_bytes, look_bytes);
    walk.record = kp_heap_arena(heap, KP_ARENA_PYMALLOC);
    if (walk.record && held.count) {
        walk.record->size = bytes;
        walk.record->largest_free = 0;
        count_arenas(&walk);
    }
    unlock();
}

/* Pools are cut from an arena one behind another: the first that never was one ends it. Python takes
 * smaller pieces in the same way as arenas, for its stacks. */
static uint64_t used_in(const struct held_arena *arena)
{
    uintptr_t pool = first_pool(arena), last = end_of_pools(arena);
    uint64_t used = 0;

    for (; pool < last && ((const struct pool_header *)pool)->max_offset; pool += pool_bytes) {
        const struct pool_header *header = (const struct pool_header *)pool;

        __builtin_prefetch((const void *)(pool + AHEAD * pool_bytes));
        used += blocks_of(header) * block_bytes_of(header);
    }
    return used;
}

uint64_t kp_pymalloc_used_bytes(void)
{
    uint64_t cookie, used = 0;

    if (!lock(&cookie))
        return KP_TOTAL_UNKNOWN;
    for (size_t i = 0; i < held.count; i++)
        if (held.all[i].bytes >= SMALL_ARENA)
            used += used_in(&held.all[i]);
    unlock();
    return used;
}
