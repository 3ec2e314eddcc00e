/* SPDX-License-Identifier: MIT */
/*
 * Python's arenas are cut into pools of one size class each; a pool begins with a header that says
 * which, and how many of its blocks are given out. The headers are read without the GIL: a figure
 * that changes meanwhile is a little off, but no arena goes away while the list is locked. Pages
 * that are not resident are not touched. Host's threads.
 *
 * Headers lie a pool apart, each a cache miss of its own: they are fetched ahead.
 */
#include "snapshot_pymalloc.h"

#include "own_list.h"
#include "python.h"
#include "state.h"

#define BLOCK_STEP 16u
#define CLASSES 32u
#define SMALL_ARENA (256u << 10) /* up to 3.9 */

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

struct class_sums {
    uint64_t pools, blocks;
};
struct walk {
    struct kp_heap *heap;
    struct kp_rec_arena *record;
    size_t pool_bytes;
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

/* Bytes of it that are given out. */
static uint64_t used_of(struct walk *walk, const struct pool_header *pool)
{
    uint32_t blocks = (uint32_t)pool->used, size_class = pool->size_class;
    uint64_t block_bytes = (uint64_t)(size_class + 1) * BLOCK_STEP;

    if (!blocks || size_class >= CLASSES ||
        blocks > (walk->pool_bytes - sizeof *pool) / block_bytes)
        return 0;
    walk->classes[size_class].pools++;
    walk->classes[size_class].blocks += blocks;
    return blocks * block_bytes;
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
        walk->free_run += walk->pool_bytes;
    uint64_t free_bytes = walk->pool_bytes - used, step = kp_heap_step(walk->heap);
    uint64_t pieces = walk->pool_bytes > step ? walk->pool_bytes / step : 1;
    for (uint64_t i = 0; i < pieces; i++)
        kp_heap_is_free(walk->heap, span, pool + i * step, free_bytes / pieces);
}

static void count_pools(struct walk *walk, const struct held_arena *arena, uint32_t span)
{
    uintptr_t first = (arena->start + walk->pool_bytes - 1) & ~(walk->pool_bytes - 1);
    uintptr_t end = arena->start + arena->bytes;

    if (first != arena->start) { /* the pieces before the first pool and behind the last */
        kp_heap_is_free(walk->heap, span, arena->start, first - arena->start);
        kp_heap_is_free(walk->heap, span, end - (walk->pool_bytes - (first - arena->start)),
                        walk->pool_bytes - (first - arena->start));
    }
    for (uintptr_t pool = first; pool + walk->pool_bytes <= end; pool += walk->pool_bytes)
        count_pool(walk, span, pool);
    end_free_run(walk);
}

static void prefetch_headers(const struct held_arena *arena, size_t pool_bytes)
{
    for (uintptr_t at = arena->start; at < arena->start + arena->bytes; at += pool_bytes)
        __builtin_prefetch((const void *)((at + pool_bytes - 1) & ~(pool_bytes - 1)));
}

static void add_classes(struct kp_heap *heap, const struct walk *walk)
{
    for (unsigned i = 0; i < CLASSES; i++) {
        const struct class_sums *sums = &walk->classes[i];
        struct kp_rec_arena *record =
            sums->pools ? kp_heap_arena(heap, KP_ARENA_PYMALLOC_CLASS) : NULL;

        if (!record)
            continue;
        record->unit = (i + 1) * BLOCK_STEP;
        record->size = sums->pools * walk->pool_bytes;
        record->in_use = sums->blocks * record->unit;
        record->free = record->size - record->in_use;
    }
}

/* What is resident of all arenas, and their pools as long as there is time; without time an arena
 * counts as full. */
static void count_arenas(struct walk *walk)
{
    uint32_t first = walk->heap->span_count;
    struct kp_rec_arena *record = walk->record;

    for (size_t i = 0; i < held.count; i++) {
        kp_heap_span(walk->heap, record, held.all[i].start, held.all[i].start + held.all[i].bytes);
        record->size += held.all[i].bytes;
    }
    for (size_t i = 0; i < held.count && first + i < walk->heap->span_count; i++) {
        if (record->is_partial || kp_heap_is_over_time(walk->heap)) {
            record->is_partial = KP_ARENA_CUT;
            record->in_use += held.all[i].bytes;
            continue;
        }
        prefetch_headers(&held.all[i], walk->pool_bytes);
        count_pools(walk, &held.all[i], first + (uint32_t)i);
    }
    record->free = record->size - record->in_use;
}

void kp_snapshot_pymalloc(struct kp_heap *heap)
{
    struct walk walk = {.heap = heap};
    uint64_t cookie;

    if (!kp_python.is_found || !held.count || kp_python.is_free_threaded || !lock(&cookie))
        return;
    walk.record = kp_heap_arena(heap, KP_ARENA_PYMALLOC);
    if (walk.record && held.count) {
        walk.record->largest_free = 0;
        walk.pool_bytes = held.all[0].bytes <= SMALL_ARENA ? 4096 : 16384;
        count_arenas(&walk);
        heap->is_partial |= walk.record->is_partial != 0;
        if (!walk.record->is_partial)
            add_classes(heap, &walk);
    }
    unlock();
}
