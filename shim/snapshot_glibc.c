/* SPDX-License-Identifier: MIT */
/*
 * Reads glibc's arenas as memory: where each lies, and all its free chunks; what is not free is given
 * out (blocks that a thread keeps in its tcache count as given out, as they do in mallinfo2). Each
 * arena is locked as malloc locks it, but tried for a while only: nothing here can wait for ever, also
 * in a forked child or with a lock that somebody's death has left. Host's threads, signals blocked.
 *
 * A free chunk costs a cache miss, so this is what a snapshot takes long for. Each arena has a part of
 * the time, by its size, for its lock as well. When that is over, or after CHUNKS_MAX, the rest is
 * left and the arena is partial: the reader estimates what is in use from the samples that are live.
 */
#include "snapshot_glibc.h"

#include "glibc_arena.h"
#include "sys.h"

#include <linux/futex.h>
#include <stdatomic.h>

#define LOCK_TRIES 2000u
#define TRIES_MAX 16u
#define ARENAS_AT_MOST 400u
#define CHUNKS_MAX (4u << 20)
#define CHUNKS_A_LOOK 64u /* at the clock */
#define SHARE_MIN 0.02    /* of the time, that even the smallest arena may take */
#define SHARE_DRAWN 0.5   /* of an arena's time, for its pieces: windows take the rest */
#define LISTS_AT_ONCE 16u
#define STEPS_AHEAD 6u
#define WHOLE_BYTES (256ull << 20) /* a heap of which each page is looked for */
#define DRAWN_BYTES (56ull << 20) /* of a larger one: windows cost a call each */
#define LARGE_BYTES (128u << 10)
#define LINK_BYTES (sizeof(struct kp_glibc_chunk))
#define TOP_KEPT 4128u /* malloc_trim(0) leaves a page and the smallest chunk */

static struct {
    unsigned tries; /* before the first block there is nothing to be found */
    bool is_found;
    struct kp_glibc glibc;
} known;

struct walk {
    struct kp_heap *heap;
    struct kp_glibc_arena *arena;
    struct kp_rec_arena *record;
    uint64_t end_cpu_us;
    uint32_t span;
    uint32_t chunks;
    bool is_cut;
};

static bool try_lock(struct kp_glibc_arena *arena, uint64_t end_cpu_us)
{
    for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
        int open = 0;

        if (__atomic_compare_exchange_n(&arena->lock, &open, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
        if (tries % 64 != 63)
            __builtin_ia32_pause();
        else if (kp_heap_is_over(end_cpu_us))
            return false;
        else
            KP_SYS0(SYS_sched_yield);
    }
    return false;
}

static void unlock(struct kp_glibc_arena *arena)
{
    if (__atomic_exchange_n(&arena->lock, 0, __ATOMIC_RELEASE) > 1)
        KP_SYS3(SYS_futex, &arena->lock, FUTEX_WAKE_PRIVATE, 1);
}

/* What is left of a piece for malloc_trim() when the links in its head stay. */
static uint64_t trimmable(const struct walk *walk, uint64_t start, uint64_t bytes)
{
    if (walk->span == KP_HEAP_NO_SPAN || bytes <= LINK_BYTES + 4096)
        return 0;
    return kp_heap_resident(walk->heap, walk->span, start + LINK_BYTES, bytes - LINK_BYTES);
}

static void count_free(struct walk *walk, uint64_t start, uint64_t bytes)
{
    struct kp_rec_arena *record = walk->record;
    uint64_t resident;

    walk->span = kp_heap_find(walk->heap, record->index, start, walk->span);
    if (walk->span != KP_HEAP_NO_SPAN)
        kp_heap_is_free(walk->heap, walk->span, start, bytes);
    resident = trimmable(walk, start, bytes);
    record->free += bytes;
    record->trimmable += resident;
    if (bytes >= LARGE_BYTES)
        record->large_free += resident;
    if (bytes > record->largest_free)
        record->largest_free = bytes;
}

/* False: no further one may be looked at. */
static bool take_chunk(struct walk *walk, const struct kp_glibc_chunk *chunk)
{
    if ((uintptr_t)chunk & 15 || (uintptr_t)chunk <= 4096 || walk->chunks == CHUNKS_MAX ||
        (walk->chunks % CHUNKS_A_LOOK == 0 && kp_heap_is_over(walk->end_cpu_us)))
        walk->is_cut = true;
    walk->chunks++;
    if (!walk->is_cut)
        count_free(walk, (uintptr_t)chunk, kp_glibc_chunk_bytes(chunk));
    return !walk->is_cut;
}

static void walk_fastbins(struct walk *walk)
{
    for (unsigned bin = 0; bin < KP_GLIBC_FASTBINS; bin++) {
        const struct kp_glibc_chunk *chunk = walk->arena->fastbins[bin];

        while (chunk && take_chunk(walk, chunk)) {
            uintptr_t next = (uintptr_t)chunk->next;

            if (known.glibc.mangles_links)
                next ^= (uintptr_t)&chunk->next >> 12;
            chunk = (const struct kp_glibc_chunk *)next;
        }
    }
}

/* Each list is one long chain of cache misses: several are followed side by side, each from both of
 * its ends until they meet. */
struct cursor {
    const struct kp_glibc_chunk *first, *last;
};

static void prefetch(const struct kp_glibc_chunk *chunk)
{
    __builtin_prefetch(chunk);
    __builtin_prefetch(&chunk->previous);
}

/* Pieces that came free one after another often lie at equal distances. */
static void prefetch_beyond(const struct kp_glibc_chunk *from, const struct kp_glibc_chunk *to)
{
    prefetch((const struct kp_glibc_chunk *)((uintptr_t)to +
                                             STEPS_AHEAD * ((uintptr_t)to - (uintptr_t)from)));
}

/* What is not sorted yet first, then the lists of the largest pieces: they matter most when time is
 * over. False: there is no further list. */
static bool next_list(const struct walk *walk, unsigned *lists, struct cursor *cursor)
{
    while (*lists < KP_GLIBC_BINS) {
        const struct kp_glibc_chunk *header =
            kp_glibc_bin(walk->arena, *lists ? KP_GLIBC_BINS - *lists : 0);

        ++*lists;

        *cursor = (struct cursor){header->next, header->previous};
        if (cursor->first != header) {
            prefetch(cursor->first);
            prefetch(cursor->last);
            return true;
        }
    }
    return false;
}

/* False: the list has been seen to its end, or as far as may be. */
static bool step(struct walk *walk, struct cursor *cursor)
{
    const struct kp_glibc_chunk *first = cursor->first, *last = cursor->last;

    if (!take_chunk(walk, first) || first == last)
        return false;
    cursor->first = first->next;
    prefetch(cursor->first);
    prefetch_beyond(first, cursor->first);
    if (!take_chunk(walk, last) || last == cursor->first)
        return false;
    cursor->last = last->previous;
    prefetch(cursor->last);
    prefetch_beyond(last, cursor->last);
    return true;
}

static void walk_bins(struct walk *walk)
{
    struct cursor cursors[LISTS_AT_ONCE];
    unsigned lists = 0, active = 0;

    do {
        while (active < LISTS_AT_ONCE && next_list(walk, &lists, &cursors[active]))
            active++;
        for (unsigned i = 0; i < active; i++)
            if (!step(walk, &cursors[i]))
                cursors[i--] = cursors[--active];
    } while (active && !walk->is_cut);
}

/* The main arena's top is what sbrk gives back; of the others' nothing is. */
static void count_top(struct walk *walk)
{
    const struct kp_glibc_chunk *top = walk->arena->top;
    uint64_t bytes = kp_glibc_chunk_bytes(top);
    struct kp_rec_arena *record = walk->record;

    record->top = bytes;
    record->free += bytes;
    walk->span = kp_heap_find(walk->heap, record->index, (uintptr_t)top, walk->span);
    if (walk->span == KP_HEAP_NO_SPAN)
        return;
    kp_heap_is_free(walk->heap, walk->span, (uintptr_t)top, bytes);
    if (walk->arena == known.glibc.main && bytes > TOP_KEPT)
        record->trimmable +=
            kp_heap_resident(walk->heap, walk->span, (uintptr_t)top + TOP_KEPT, bytes - TOP_KEPT);
}

static void span_of_main(struct kp_heap *heap, const struct kp_glibc_arena *arena,
                         struct kp_rec_arena *record)
{
    uint64_t end = (uintptr_t)arena->top + kp_glibc_chunk_bytes(arena->top);

    if (!(arena->flags & (int)KP_GLIBC_NOT_CONTIGUOUS) && arena->system_bytes < end)
        kp_heap_span(heap, record, end - arena->system_bytes, end);
    else
        record->is_partial = 1; /* its pieces are nowhere told */
}

static void spans_of_thread(struct kp_heap *heap, const struct kp_glibc_arena *arena,
                            struct kp_rec_arena *record)
{
    const struct kp_glibc_heap *at =
        (const struct kp_glibc_heap *)((uintptr_t)arena->top & ~(KP_GLIBC_HEAP_BYTES - 1));

    for (; at && at->arena == arena && at->size <= KP_GLIBC_HEAP_BYTES; at = at->previous)
        kp_heap_span(heap, record, (uintptr_t)at, (uintptr_t)at + at->size);
}

/* Under the arena's lock. */
static void read_arena(struct kp_heap *heap, struct kp_glibc_arena *arena,
                       struct kp_rec_arena *record, uint64_t end_cpu_us)
{
    struct walk walk = {heap, arena, record, end_cpu_us, KP_HEAP_NO_SPAN, 0, false};

    record->trimmable = record->large_free = record->largest_free = 0;
    if (arena == known.glibc.main)
        span_of_main(heap, arena, record);
    else
        spans_of_thread(heap, arena, record);
    count_top(&walk);
    walk_fastbins(&walk);
    walk_bins(&walk);
    kp_heap_complete(heap, record);
    if (walk.is_cut)
        record->is_partial |= KP_ARENA_CUT;
    record->in_use = record->size > record->free ? record->size - record->free : 0;
}

/* `bytes`: of this and all later arenas. */
static void add_arena(struct kp_heap *heap, struct kp_glibc_arena *arena, uint64_t bytes)
{
    double share = (double)arena->system_bytes / (double)(bytes + 1);
    double pieces = heap->chance == UINT32_MAX ? 1 : SHARE_DRAWN;
    uint64_t end_cpu_us = kp_heap_time(heap, (share > SHARE_MIN ? share : SHARE_MIN) * pieces);
    bool is_main = arena == known.glibc.main;
    struct kp_rec_arena *record =
        kp_heap_arena(heap, is_main ? KP_ARENA_GLIBC_MAIN : KP_ARENA_GLIBC_THREAD);

    if (!record)
        return;
    bool is_locked = try_lock(arena, end_cpu_us);
    record->size = arena->system_bytes;
    if (is_locked) {
        read_arena(heap, arena, record, end_cpu_us);
        unlock(arena);
    } else {
        record->is_partial = 1;
        record->in_use = record->free = KP_TOTAL_UNKNOWN;
    }
    heap->is_partial |= (record->is_partial & ~KP_ARENA_DRAWN) != 0;
}

static void add_mappings(struct kp_heap *heap)
{
    struct kp_rec_arena *record = kp_heap_arena(heap, KP_ARENA_GLIBC_MMAP);

    if (!record)
        return;
    record->size = record->in_use = *known.glibc.mapped_bytes;
    record->free = record->largest_free = record->trimmable = record->large_free = 0;
}

static struct kp_glibc_arena *next_arena(const struct kp_glibc_arena *arena)
{
    struct kp_glibc_arena *next = __atomic_load_n(&arena->next, __ATOMIC_ACQUIRE);

    return next == known.glibc.main ? NULL : next;
}

bool kp_snapshot_glibc(struct kp_heap *heap)
{
    uint64_t bytes = 0;

    if (!known.is_found && known.tries++ < TRIES_MAX)
        known.is_found = kp_glibc_find(&known.glibc);
    if (!known.is_found || !known.glibc.mapped_bytes)
        return false;
    heap->trim_threshold = *known.glibc.trim_threshold;
    heap->mmap_threshold = *known.glibc.mmap_threshold;
    for (struct kp_glibc_arena *arena = known.glibc.main; arena; arena = next_arena(arena))
        bytes += arena->system_bytes;
    kp_heap_draw(heap, bytes, WHOLE_BYTES, DRAWN_BYTES);
    for (struct kp_glibc_arena *arena = known.glibc.main;
         arena && heap->arena_count < ARENAS_AT_MOST; arena = next_arena(arena)) {
        uint64_t later = arena->system_bytes < bytes ? bytes - arena->system_bytes : 0;

        add_arena(heap, arena, bytes);
        bytes = later;
    }
    add_mappings(heap);
    return true;
}
