/* SPDX-License-Identifier: MIT */
/*
 * The heap as one snapshot finds it, before it is written down: arenas, the addresses that belong
 * to them, and in cells how much of each stretch is given out and resident. Lies in memory of our
 * own, mapped for the snapshot and given back after it. One thread at a time.
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
struct kp_heap_range { /* a sampled mapping */
    uint64_t start, end, resident;
};
struct kp_heap {
    unsigned shift; /* a cell is 1 << shift bytes: 12 or 16 */
    bool is_partial;
    uint64_t end_cpu_us; /* of the thread's CPU time: from then on only what is cheap is looked at */
    uint64_t trim_threshold, mmap_threshold;
    uint32_t arena_count, span_count, cell_count;
    unsigned char window[16384]; /* of pages that mincore has looked at */
    struct kp_rec_arena arenas[KP_HEAP_ARENAS_MAX];
    struct kp_heap_span spans[KP_HEAP_SPANS_MAX];
    uint32_t range_count;
    struct kp_heap_range ranges[KP_HEAP_RANGES_MAX];
    struct kp_heap_cell cells[KP_HEAP_CELLS_MAX];
};

/* NULL: no memory to be had. */
struct kp_heap *kp_heap_new(unsigned shift, uint64_t end_cpu_us);
void kp_heap_free(struct kp_heap *heap);

bool kp_heap_is_over_time(const struct kp_heap *heap);

/* A new arena; its figures are unknown but for those that it is told to sum up from zero. NULL:
 * there are too many. */
struct kp_rec_arena *kp_heap_arena(struct kp_heap *heap, enum kp_arena_kind kind);

/* [start, end) belongs to the arena and is all given out as yet; looks which pages are resident and
 * adds them to its figure. Returns the span, or KP_HEAP_NO_SPAN. */
uint32_t kp_heap_span(struct kp_heap *heap, struct kp_rec_arena *arena, uint64_t start,
                      uint64_t end);

/* Resident bytes of a stretch that is in no span. */
uint64_t kp_heap_resident_outside(struct kp_heap *heap, uint64_t start, uint64_t end);

/* The span of this arena that holds the address; `last` is where to look first. */
uint32_t kp_heap_find(const struct kp_heap *heap, uint32_t arena, uint64_t address, uint32_t last);

/* Bytes of a cell. */
static inline uint64_t kp_heap_step(const struct kp_heap *heap)
{
    return 1ull << heap->shift;
}

/* [start, start + bytes) of a span is not given out. */
void kp_heap_is_free(struct kp_heap *heap, uint32_t span, uint64_t start, uint64_t bytes);

/* Resident bytes in whole pages of [start, start + bytes). */
uint64_t kp_heap_resident(const struct kp_heap *heap, uint32_t span, uint64_t start,
                          uint64_t bytes);

#endif
