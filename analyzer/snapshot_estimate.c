/* SPDX-License-Identifier: MIT */
/*
 * A snapshot stops after 1 ms. Of a glibc arena with more free pieces than that allows, what was not
 * looked at counts as in use; so does what mimalloc does not let one thread see. But the live samples
 * of the arena, each with its weight, stand for what is in use without bias, and their chunks are as
 * large as the allocator makes them.
 *
 * Where samples are dense they tell the same of each cell; else all cells of the arena are made emptier
 * by one factor, so that only their sum is right. One thread.
 */
#include "snapshot_estimate.h"

#include "alloc.h"
#include "site_table.h"
#include "snapshot_cells.h"

#include <stdlib.h>

#define CHUNK_BYTES_MIN 32u
#define HEADER_BYTES 8u

static uint64_t chunk_bytes(uint64_t size)
{
    uint64_t bytes = (size + HEADER_BYTES + 15) & ~15ull;

    return bytes < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : bytes;
}

/* mimalloc's classes: multiples of 16 to begin with, then four to each doubling. */
static uint64_t class_bytes(uint64_t size)
{
    uint64_t step = 16;

    while (size > 8 * step)
        step *= 2;
    return size ? (size + step - 1) & ~(step - 1) : step;
}

static bool is_cut(const struct kp_snapshot *snapshot, size_t arena)
{
    return arena < snapshot->arena_count &&
           snapshot->arenas[arena].said.is_partial & KP_ARENA_CUT;
}

static uint32_t with_used(uint32_t cell, uint64_t used, uint64_t most)
{
    return (uint32_t)(used < most ? used : most) | (cell & ~0xffffffu);
}

/* Multiplies what is used of each cell of the arena; 0 makes them empty. */
static void scale_cells(struct kp_snapshot *snapshot, uint32_t arena, double factor)
{
    for (size_t i = 0; i < snapshot->span_count; i++) {
        const struct kp_snapshot_span *span = &snapshot->spans[i];
        uint64_t cells = kp_snapshot_span_cells(snapshot, span);

        for (uint64_t c = 0; span->arena == arena && c < cells; c++) {
            uint32_t *cell = &snapshot->cells[span->first_cell + c];

            *cell = with_used(*cell, (uint64_t)(KP_CELL_USED(*cell) * factor), 0xffffffu);
        }
    }
}

/* Adds a chunk to the cells that it lies in. */
static void fill_cells(struct kp_snapshot *snapshot, const struct kp_snapshot_span *span,
                       uint64_t start, uint64_t bytes, double weight)
{
    unsigned shift = snapshot->said.page_shift;
    uint64_t whole = 1ull << shift;

    while (bytes && start < span->end && span->first_cell != KP_NO_CELLS) {
        uint64_t rest = whole - (start & (whole - 1)), part = bytes < rest ? bytes : rest;
        uint32_t *cell = &snapshot->cells[span->first_cell + ((start - span->start) >> shift)];

        *cell = with_used(*cell, KP_CELL_USED(*cell) + (uint64_t)((double)part * weight), whole);
        start += part;
        bytes -= part;
    }
}

/* Sums what the samples of each cut arena stand for, and puts it into the cells when these are to be
 * made from samples. */
static void sum_samples(struct kp_snapshot *snapshot, const struct kp_live_set *live, double *sums,
                        bool with_cells)
{
    size_t rest = kp_snapshot_rest(snapshot);

    for (uint32_t at = 0; live->places && at <= live->mask; at++) {
        const struct kp_live_sample *sample =
            live->places[at].sample ? kp_live_set_at(live, live->places[at].sample) : NULL;
        if (!sample || !kp_snapshot_is_block(sample->site->kind))
            continue;
        const struct kp_snapshot_span *span = kp_snapshot_span_at(snapshot, sample->address);
        size_t arena = span ? span->arena : rest;
        if (!is_cut(snapshot, arena))
            continue;
        uint64_t bytes = arena == rest ? class_bytes(sample->size) : chunk_bytes(sample->size);
        sums[arena] += (double)bytes * sample->weight;
        if (with_cells && span)
            fill_cells(snapshot, span, sample->address, bytes, sample->weight);
    }
}

static void set_in_use(struct kp_rec_arena *said, double bytes)
{
    said->in_use = bytes < (double)said->in_use ? (uint64_t)bytes : said->in_use;
    said->free = said->size > said->in_use ? said->size - said->in_use : 0;
}

void kp_snapshot_estimate(struct kp_snapshot *snapshot, const struct kp_live_set *live)
{
    bool is_dense = kp_snapshot_is_dense(snapshot, live), is_any = false;
    double *sums = kp_alloc((snapshot->arena_count + 1) * sizeof *sums);

    for (uint32_t i = 0; i < snapshot->arena_count; i++)
        if (is_cut(snapshot, i)) {
            is_any = true;
            if (is_dense)
                scale_cells(snapshot, i, 0);
        }
    if (is_any)
        sum_samples(snapshot, live, sums, is_dense);
    for (uint32_t i = 0; is_any && i < snapshot->arena_count; i++) {
        struct kp_rec_arena *said = &snapshot->arenas[i].said;

        if (!is_cut(snapshot, i))
            continue;
        if (!is_dense && sums[i] < (double)said->in_use)
            scale_cells(snapshot, i, sums[i] / (double)said->in_use);
        set_in_use(said, sums[i]);
    }
    free(sums);
}
