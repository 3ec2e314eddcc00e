/* SPDX-License-Identifier: MIT */
/*
 * The heap as one snapshot finds it, before it is written down: arenas, the addresses that belong
 * to them, and in cells how much of each stretch is given out and resident. Lies in memory of our
 * own, mapped for the snapshot and given back after it. One thread at a time.
 *
 * A large heap is not looked at everywhere: windows of 256 KiB are drawn by their address, each with
 * the same chance and spread evenly, from a start that is drawn anew for each snapshot. What they
 * say stands for the rest of their arena.
 */
#ifndef KP_SNAPSHOT_HEAP_H
#define KP_SNAPSHOT_HEAP_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_HEAP_ARENAS_MAX 512
#define KP_HEAP_SPANS_MAX 65536
#define KP_HEAP_CELLS_MAX (4u << 20)
#define KP_HEAP_RANGES_MAX 4096
#define KP_HEAP_NO_SPAN UINT32_MAX

struct kp_heap_cell {
    uint32_t used;     /* bytes given out */
    uint32_t resident; /* a bit for each page */
};
struct kp_heap_span {
    uint64_t start, end; /* exact */
    uint32_t arena, first_cell, cells;
};
struct kp_heap_drawn { /* of an arena */
    uint64_t all, seen; /* bytes of its spans, and of the windows of them that are looked at */
    uint32_t chance;
    uint32_t first_span;
};
struct kp_heap_range { /* a sampled mapping */
    uint64_t start, end, resident;
};
struct kp_heap {
    unsigned shift; /* a cell is 1 << shift bytes: 12 or 16 */
    bool is_partial;
    uint64_t anonymous;  /* RSS without files: no arena has more */
    uint64_t end_cpu_us; /* of the thread's CPU time: from then on only what is cheap is looked at */
    uint32_t chance; /* of a window of the next arena to be drawn, of 2^32; all ones: all are */
    uint32_t first;  /* that is drawn */
    uint64_t trim_threshold, mmap_threshold;
    uint32_t arena_count, span_count, cell_count;
    unsigned char window[16384]; /* of pages that mincore has looked at */
    struct kp_rec_arena arenas[KP_HEAP_ARENAS_MAX];
    struct kp_heap_drawn drawn[KP_HEAP_ARENAS_MAX];
    struct kp_heap_span spans[KP_HEAP_SPANS_MAX];
    uint32_t range_count;
    struct kp_heap_range ranges[KP_HEAP_RANGES_MAX];
    struct kp_heap_cell cells[KP_HEAP_CELLS_MAX];
};

/* NULL: no memory to be had. end_cpu_us: UINT64_MAX when everything is to be looked at. */
struct kp_heap *kp_heap_new(unsigned shift, uint64_t end_cpu_us);
/* What is added from now on are `bytes` together: with more than `whole` only about `drawn` of them
 * are looked at. */
void kp_heap_draw(struct kp_heap *heap, uint64_t bytes, uint64_t whole, uint64_t drawn);
void kp_heap_free(struct kp_heap *heap);

/* The CPU time of the thread when this part of what is left of the time is over; UINT64_MAX: it is
 * not bounded. */
uint64_t kp_heap_time(const struct kp_heap *heap, double share);
bool kp_heap_is_over(uint64_t end_cpu_us);

/* A new arena; its figures are unknown but for those that it is told to sum up from zero. NULL:
 * there are too many. */
struct kp_rec_arena *kp_heap_arena(struct kp_heap *heap, enum kp_arena_kind kind);

/* [start, end) belongs to the arena and is all given out as yet; looks which pages of the windows that
 * are drawn are resident and adds them to its figure. Returns the span, or KP_HEAP_NO_SPAN. The spans
 * of an arena are added one behind another. */
uint32_t kp_heap_span(struct kp_heap *heap, struct kp_rec_arena *arena, uint64_t start,
                      uint64_t end);

/* The stretch of an arena from `start` on that is looked at, or is not: where it ends, at `end` at
 * last. */
uint64_t kp_heap_stretch(const struct kp_heap *heap, uint32_t arena, uint64_t start, uint64_t end,
                         bool *is_seen);

/* What stands for one byte that was seen of this arena. */
double kp_heap_factor(const struct kp_heap *heap, const struct kp_rec_arena *arena);
/* When all has been added: figures that were made of windows stand for the whole. */
void kp_heap_complete(struct kp_heap *heap, struct kp_rec_arena *arena);

/* Resident bytes of a stretch that is in no span: an estimate, when windows are drawn. */
uint64_t kp_heap_resident_outside(struct kp_heap *heap, uint64_t start, uint64_t end);

/* The span of this arena that holds the address; `last` is where to look first. */
uint32_t kp_heap_find(const struct kp_heap *heap, uint32_t arena, uint64_t address, uint32_t last);

/* Bytes of a cell. */
static inline uint64_t kp_heap_step(const struct kp_heap *heap)
{
    return 1ull << heap->shift;
}

/* [start, start + bytes) of a span is not given out. Counts where it is looked at. */
void kp_heap_is_free(struct kp_heap *heap, uint32_t span, uint64_t start, uint64_t bytes);

/* Resident bytes in whole pages of [start, start + bytes), as far as it is looked at. */
uint64_t kp_heap_resident(struct kp_heap *heap, uint32_t span, uint64_t start, uint64_t bytes);

#endif
