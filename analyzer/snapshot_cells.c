/* SPDX-License-Identifier: MIT */
/*
 * When samples are dense, what they stand for in a stretch of memory is about what is given out
 * there: exactly so with KPROF_RATE=1, and well enough for stretches of 64 KiB up to a distance of
 * 4 KiB. A stretch that holds something is taken to be resident. mimalloc tells of areas, which are
 * larger than pages: where each page is wanted and samples are exact, these are better. One thread.
 */
#include "snapshot_cells.h"

#include "alloc.h"
#include "site_table.h"

#include <stdlib.h>
#include <string.h>

#define DISTANCE_MAX 4096.0 /* bytes that a sample may stand for */

struct piece {
    uint64_t cell;
    double used;
};
struct pieces {
    struct piece *all;
    size_t capacity, count;
};

size_t kp_snapshot_rest(const struct kp_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->arena_count; i++)
        if (snapshot->arenas[i].said.kind == KP_ARENA_MIMALLOC_REST)
            return i;
    return SIZE_MAX;
}

bool kp_snapshot_is_block(unsigned kind)
{
    return kind == KP_KIND_MALLOC || kind == KP_KIND_NEW || kind == KP_KIND_OBJECT ||
           kind == KP_KIND_MEM;
}

/* The row that stands for an allocator without cells; SIZE_MAX: there is none. */
static size_t arena_without_cells(const struct kp_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->arena_count; i++) {
        unsigned kind = snapshot->arenas[i].said.kind;

        if (kind == KP_ARENA_JEMALLOC || kind == KP_ARENA_TCMALLOC || kind == KP_ARENA_TOTAL ||
            kind == KP_ARENA_MIMALLOC_REST ||
            (kind == KP_ARENA_MIMALLOC && snapshot->said.page_shift == 12 &&
             kp_snapshot_rest(snapshot) == SIZE_MAX))
            return i;
    }
    return SIZE_MAX;
}

static void add_piece(struct pieces *pieces, uint64_t cell, double used)
{
    pieces->all = kp_array_grow(pieces->all, &pieces->capacity, pieces->count + 1,
                                sizeof *pieces->all);
    pieces->all[pieces->count++] = (struct piece){cell, used};
}

static void add_sample(struct pieces *pieces, const struct kp_live_sample *sample, unsigned shift)
{
    uint64_t start = sample->address, left = sample->size ? sample->size : 1;

    while (left) {
        uint64_t rest = (1ull << shift) - (start & ((1ull << shift) - 1));
        uint64_t part = left < rest ? left : rest;

        add_piece(pieces, start >> shift, (double)part * sample->weight);
        start += part;
        left -= part;
    }
}

static const struct kp_live_sample *block_at(const struct kp_live_set *live, uint32_t at)
{
    const struct kp_live_sample *sample =
        live->places[at].sample ? kp_live_set_at(live, live->places[at].sample) : NULL;

    return sample && kp_snapshot_is_block(sample->site->kind) ? sample : NULL;
}

/* The most that one of them stands for, beyond itself. */
static double distance_of(const struct kp_live_set *live)
{
    double distance = 0;

    for (uint32_t at = 0; live->places && at <= live->mask; at++) {
        const struct kp_live_sample *sample = block_at(live, at);
        double apart = sample ? (double)sample->size * (sample->weight - 1) : 0;

        distance = apart > distance ? apart : distance;
    }
    return distance;
}

bool kp_snapshot_is_dense(const struct kp_snapshot *snapshot, const struct kp_live_set *live)
{
    return distance_of(live) <= (snapshot->said.page_shift == 12 ? 0 : DISTANCE_MAX);
}

static void drop_spans(struct kp_snapshot *snapshot, size_t arena)
{
    size_t kept = 0;

    for (size_t i = 0; i < snapshot->span_count; i++)
        if (snapshot->spans[i].arena != arena)
            snapshot->spans[kept++] = snapshot->spans[i];
    snapshot->span_count = kept;
}

static void collect(struct pieces *pieces, const struct kp_snapshot *snapshot,
                    const struct kp_live_set *live)
{
    for (uint32_t at = 0; live->places && at <= live->mask; at++) {
        const struct kp_live_sample *sample = block_at(live, at);

        if (sample && !kp_snapshot_span_at(snapshot, sample->address))
            add_sample(pieces, sample, snapshot->said.page_shift);
    }
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;

    return (a->cell > b->cell) - (a->cell < b->cell);
}

static void add_cell(struct kp_snapshot *snapshot, uint32_t arena, uint64_t cell, double used)
{
    unsigned shift = snapshot->said.page_shift;
    uint32_t whole = 1u << shift, pages = whole >> 12;
    struct kp_snapshot_span *last =
        snapshot->span_count ? &snapshot->spans[snapshot->span_count - 1] : NULL;

    snapshot->cells = kp_array_grow(snapshot->cells, &snapshot->cell_capacity,
                                    snapshot->cell_count + 1, sizeof *snapshot->cells);
    if (last && last->arena == arena && last->end == cell << shift) {
        last->end += whole;
    } else {
        snapshot->spans = kp_array_grow(snapshot->spans, &snapshot->span_capacity,
                                        snapshot->span_count + 1, sizeof *snapshot->spans);
        snapshot->spans[snapshot->span_count++] = (struct kp_snapshot_span){
            cell << shift, (cell + 1) << shift, arena, (uint32_t)snapshot->cell_count};
    }
    snapshot->cells[snapshot->cell_count++] =
        (used < whole ? (uint32_t)(used + 0.5) : whole) | pages << 24;
}

bool kp_snapshot_cells_make(struct kp_snapshot *snapshot, const struct kp_live_set *live)
{
    size_t arena = arena_without_cells(snapshot);
    struct pieces pieces = {0};

    if (arena == SIZE_MAX || !kp_snapshot_is_dense(snapshot, live))
        return false;
    drop_spans(snapshot, arena);
    collect(&pieces, snapshot, live);
    if (pieces.count)
        qsort(pieces.all, pieces.count, sizeof *pieces.all, compare_pieces);
    for (size_t i = 0, next; i < pieces.count; i = next) {
        double used = pieces.all[i].used;

        for (next = i + 1; next < pieces.count && pieces.all[next].cell == pieces.all[i].cell; next++)
            used += pieces.all[next].used;
        add_cell(snapshot, (uint32_t)arena, pieces.all[i].cell, used);
    }
    free(pieces.all);
    return true;
}
