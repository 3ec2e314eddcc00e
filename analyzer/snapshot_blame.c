/* SPDX-License-Identifier: MIT */
/*
 * Who keeps memory from being given back. A cell of the heap (a page, or 64 KiB) with U bytes given
 * out and W resident bytes that are not: these W are there because of what is given out. A live
 * sample with b bytes in the cell and weight w stands for w b of the U bytes, hence for w b W / U of
 * the waste. Its expectation is the waste that its site causes, whatever was sampled, since U and W
 * are the allocator's own figures and not sums of samples.
 *
 * Where an allocator does not say where its free memory lies, its size class takes the place of the
 * cell, or all of it. Of an arena that was looked at in part, what was seen stands for the whole.
 *
 * Young blocks (of the last tenth of the run) will mostly go by themselves: the waste of all cells
 * that hold anything is shared among the old ones, if there are any. Cells that hold nothing are
 * nobody's blame. One thread.
 */
#include "snapshot_table.h"

#include "alloc.h"
#include "site_table.h"
#include "snapshot_cells.h"
#include "snapshot_estimate.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define LARGE_BYTES (256u << 10) /* such blocks have pages of their own everywhere */
#define PINNED_SHARE 10 /* a cell is pinned when less than a tenth of it is given out */

struct analysis {
    struct kp_snapshot *snapshot;
    unsigned shift;
    uint64_t old_before_us;
    struct kp_snapshot_share **by_site; /* an open hash of pointers into shares, by site */
    size_t mask;
    double waste;                /* of all cells that hold something */
    double old_blame, all_blame; /* before they are scaled to it */
    bool with_young, has_made_cells;
};

static int compare_spans(const void *left, const void *right)
{
    const struct kp_snapshot_span *a = left, *b = right;

    return (a->start > b->start) - (a->start < b->start);
}

static void sort_spans(struct kp_snapshot *snapshot)
{
    if (snapshot->span_count)
        qsort(snapshot->spans, snapshot->span_count, sizeof *snapshot->spans, compare_spans);
}

/* ---- the heap itself ---- */

static uint64_t waste_of(uint32_t cell)
{
    uint64_t resident = (uint64_t)KP_CELL_PAGES(cell) * PAGE, used = KP_CELL_USED(cell);

    return resident > used ? resident - used : 0;
}

static unsigned step_of(uint32_t cell, unsigned shift)
{
    uint64_t used = KP_CELL_USED(cell), whole = 1u << shift;

    if (used == 0 || used >= whole)
        return used ? KP_OCCUPANCY_STEPS - 1 : 0;
    return 1 + (unsigned)(used * 10 / whole);
}

/* Two spans may share a cell, each with its part of it: the second gets the whole. */
static void join_borders(struct kp_snapshot *snapshot, unsigned shift)
{
    for (size_t i = 0; i + 1 < snapshot->span_count; i++) {
        struct kp_snapshot_span *span = &snapshot->spans[i], *next = span + 1;

        if (span->end <= next->start || span->end - span->start < 2u << shift ||
            span->first_cell == KP_NO_CELLS || next->first_cell == KP_NO_CELLS)
            continue;
        span->end -= 1u << shift;
        uint32_t part = snapshot->cells[span->first_cell + ((span->end - span->start) >> shift)];
        uint32_t *cell = &snapshot->cells[next->first_cell];
        *cell = (KP_CELL_USED(*cell) + KP_CELL_USED(part)) |
                (KP_CELL_PAGES(*cell) + KP_CELL_PAGES(part)) << 24;
    }
}

static void multiply(struct kp_snapshot_arena *arena, double factor)
{
    arena->waste = (uint64_t)((double)arena->waste * factor);
    for (unsigned i = 0; i < KP_OCCUPANCY_STEPS; i++) {
        struct kp_occupancy *step = &arena->occupancy[i];

        *step = (struct kp_occupancy){(uint64_t)((double)step->cells * factor + 0.5),
                                      (uint64_t)((double)step->resident * factor),
                                      (uint64_t)((double)step->used * factor)};
    }
}

static void look_at_cells(struct analysis *analysis)
{
    struct kp_snapshot *snapshot = analysis->snapshot;

    for (size_t i = 0; i < snapshot->span_count; i++) {
        const struct kp_snapshot_span *span = &snapshot->spans[i];
        struct kp_snapshot_arena *arena = &snapshot->arenas[span->arena];
        uint64_t cells = kp_snapshot_span_cells(snapshot, span);

        for (uint64_t c = 0; c < cells; c++) {
            uint32_t cell = snapshot->cells[span->first_cell + c];
            struct kp_occupancy *step = &arena->occupancy[step_of(cell, analysis->shift)];

            step->cells++;
            step->resident += (uint64_t)KP_CELL_PAGES(cell) * PAGE;
            step->used += KP_CELL_USED(cell);
            if (KP_CELL_USED(cell))
                arena->waste += waste_of(cell);
        }
    }
    for (uint32_t i = 0; i < snapshot->arena_count; i++)
        multiply(&snapshot->arenas[i], kp_snapshot_factor(snapshot, i));
}

static bool is_class_like(unsigned kind)
{
    return kind == KP_ARENA_JEMALLOC_BIN || kind == KP_ARENA_TCMALLOC || kind == KP_ARENA_TOTAL ||
           kind == KP_ARENA_MIMALLOC_REST;
}

/* Free pages that nobody keeps but the allocator. */
static uint64_t whole_pages(const struct kp_rec_arena *arena)
{
    return arena->trimmable == KP_TOTAL_UNKNOWN   ? 0
           : arena->trimmable < arena->free ? arena->trimmable
                                            : arena->free;
}

/* Of allocators without cells: what their classes or sums say. */
static void look_at_classes(struct analysis *analysis)
{
    struct kp_snapshot *snapshot = analysis->snapshot;

    for (size_t i = 0; i < snapshot->arena_count; i++) {
        struct kp_snapshot_arena *arena = &snapshot->arenas[i];
        unsigned kind = arena->said.kind;

        if (!analysis->has_made_cells && is_class_like(kind) && arena->said.in_use &&
            arena->said.in_use != KP_TOTAL_UNKNOWN && arena->said.free != KP_TOTAL_UNKNOWN)
            arena->waste = arena->said.free - whole_pages(&arena->said);
        analysis->waste += (double)arena->waste;
    }
}

/* ---- sites ---- */

static size_t hash_of(const struct kp_site_sums *site)
{
    return (size_t)((uintptr_t)site >> 4) * 0x9e3779b97f4a7c15u >> 20;
}

static void index_again(struct analysis *analysis)
{
    struct kp_snapshot *snapshot = analysis->snapshot;

    free(analysis->by_site);
    analysis->mask = analysis->mask ? analysis->mask * 2 + 1 : 1023;
    analysis->by_site = kp_alloc((analysis->mask + 1) * sizeof *analysis->by_site);
    for (size_t i = 0; i < snapshot->share_count; i++) {
        size_t at = hash_of(snapshot->shares[i].site) & analysis->mask;

        while (analysis->by_site[at])
            at = (at + 1) & analysis->mask;
        analysis->by_site[at] = &snapshot->shares[i];
    }
}

static struct kp_snapshot_share *share_of(struct analysis *analysis, struct kp_site_sums *site)
{
    struct kp_snapshot *snapshot = analysis->snapshot;
    size_t at = hash_of(site) & analysis->mask;

    for (; analysis->by_site && analysis->by_site[at]; at = (at + 1) & analysis->mask)
        if (analysis->by_site[at]->site == site)
            return analysis->by_site[at];
    bool is_moved = snapshot->share_count == snapshot->share_capacity;
    snapshot->shares = kp_array_grow(snapshot->shares, &snapshot->share_capacity,
                                     snapshot->share_count + 1, sizeof *snapshot->shares);
    struct kp_snapshot_share *share = &snapshot->shares[snapshot->share_count++];
    *share = (struct kp_snapshot_share){.site = site, .oldest_us = UINT64_MAX};
    if (is_moved || !analysis->by_site || snapshot->share_count * 2 > analysis->mask)
        index_again(analysis);
    else
        analysis->by_site[at] = share;
    return share;
}

/* ---- samples ---- */

static void add_part(struct kp_weighed_part *sum, double one, double weight)
{
    sum->value += one * weight;
    sum->variance += one * one * weight * (weight - 1);
    if (weight > sum->largest)
        sum->largest = weight;
}

/* For one block: what it keeps, and of that in cells that are nearly empty. */
struct kept {
    double bytes, pinned;
};

static void add_cell(struct kept *kept, uint32_t cell, uint64_t bytes, unsigned shift)
{
    double used = KP_CELL_USED(cell) > bytes ? (double)KP_CELL_USED(cell) : (double)bytes;
    double waste = (double)waste_of(cell) * (double)bytes / used;

    kept->bytes += waste;
    if (used * PINNED_SHARE < (double)(1u << shift))
        kept->pinned += waste;
}

/* Cells between the first and the last are full of it. */
static struct kept kept_in_span(const struct analysis *analysis,
                                const struct kp_snapshot_span *span, uint64_t start, uint64_t size)
{
    const uint32_t *cells = analysis->snapshot->cells + span->first_cell;
    uint64_t end = size < span->end - start ? start + size : span->end;
    uint64_t first = (start - span->start) >> analysis->shift,
             last = (end - 1 - span->start) >> analysis->shift;
    uint64_t border = span->start + ((first + 1) << analysis->shift);
    struct kept kept = {0, 0};

    add_cell(&kept, cells[first], (end < border ? end : border) - start, analysis->shift);
    if (last > first)
        add_cell(&kept, cells[last], end - (span->start + (last << analysis->shift)),
                 analysis->shift);
    return kept;
}

/* The smallest class that holds it, or what there is only sums of. */
static struct kp_snapshot_arena *class_of(const struct kp_snapshot *snapshot, uint64_t size)
{
    struct kp_snapshot_arena *best = NULL;

    for (size_t i = 0; i < snapshot->arena_count; i++) {
        struct kp_snapshot_arena *arena = &snapshot->arenas[i];
        unsigned kind = arena->said.kind;

        if (!arena->waste || !is_class_like(kind) || size > LARGE_BYTES)
            continue;
        if (arena->said.unit ? arena->said.unit >= size &&
                                   (!best || arena->said.unit < best->said.unit)
                             : !best)
            best = arena;
    }
    return best;
}

static struct kept kept_in_class(const struct kp_snapshot *snapshot, uint64_t size)
{
    const struct kp_snapshot_arena *arena = class_of(snapshot, size);
    struct kept kept = {0, 0};

    if (arena) {
        uint64_t bytes = arena->said.unit ? arena->said.unit : size;

        kept.bytes = (double)arena->waste * (double)bytes / (double)arena->said.in_use;
        if (arena->said.in_use * PINNED_SHARE < arena->said.size)
            kept.pinned = kept.bytes;
    }
    return kept;
}

static void note_top(struct kp_snapshot *snapshot, const struct kp_snapshot_span *span,
                     const struct kp_live_sample *sample)
{
    struct kp_snapshot_arena *arena = &snapshot->arenas[span->arena];
    uint64_t end = sample->address + sample->size;

    if (end > arena->top_end) {
        arena->top_end = end;
        arena->top_site = sample->site;
    }
}

static void sum_live(struct kp_snapshot *snapshot, const struct kp_live_sample *sample)
{
    switch (sample->site->kind) {
    case KP_KIND_MALLOC:
    case KP_KIND_NEW: add_part(&snapshot->live_malloc, (double)sample->size, sample->weight); break;
    case KP_KIND_OBJECT:
    case KP_KIND_MEM: add_part(&snapshot->live_object, (double)sample->size, sample->weight); break;
    case KP_KIND_MMAP: add_part(&snapshot->live_mmap, (double)sample->size, sample->weight); break;
    default: break;
    }
}

static void blame(struct analysis *analysis, const struct kp_live_sample *sample,
                  const struct kept *kept, double weight)
{
    struct kp_snapshot_share *share = share_of(analysis, sample->site);

    add_part(&share->blame, kept->bytes, weight);
    add_part(&share->pinned, kept->pinned, weight);
    share->samples++;
    share->blocks += weight;
    share->bytes += (double)sample->size * weight;
    if (kept->pinned > 0)
        share->pinned_blocks += weight;
    if (sample->born_us < share->oldest_us) {
        share->oldest_us = sample->born_us;
        share->oldest_iteration = sample->born_iteration;
    }
    analysis->old_blame += kept->bytes * weight;
}

static void take_sample(struct analysis *analysis, const struct kp_live_sample *sample)
{
    struct kp_snapshot *snapshot = analysis->snapshot;
    const struct kp_snapshot_span *span;

    if (!kp_snapshot_is_block(sample->site->kind))
        return;
    span = kp_snapshot_span_at(snapshot, sample->address);
    if (span)
        note_top(snapshot, span, sample);
    if (span && span->first_cell == KP_NO_CELLS)
        return;
    double weight = sample->weight * (span ? kp_snapshot_factor(snapshot, span->arena) : 1);
    struct kept kept = span ? kept_in_span(analysis, span, sample->address,
                                           sample->size ? sample->size : 1)
                            : kept_in_class(snapshot, sample->size);
    analysis->all_blame += kept.bytes * weight;
    if (kept.bytes > 0 && (analysis->with_young || sample->born_us <= analysis->old_before_us))
        blame(analysis, sample, &kept, weight);
}

static void take_samples(struct analysis *analysis, const struct kp_live_set *live, bool with_live)
{
    struct kp_snapshot *snapshot = analysis->snapshot;

    snapshot->share_count = 0;
    analysis->old_blame = analysis->all_blame = 0;
    analysis->mask = 0;
    index_again(analysis);
    for (uint32_t at = 0; live->places && at <= live->mask; at++) {
        const struct kp_live_sample *sample;

        if (!live->places[at].sample)
            continue;
        sample = kp_live_set_at(live, live->places[at].sample);
        if (with_live)
            sum_live(snapshot, sample);
        take_sample(analysis, sample);
    }
}

/* What the samples stand for is an estimate of the waste, which is known. */
static void scale(const struct analysis *analysis)
{
    double factor = analysis->old_blame > 0 ? analysis->waste / analysis->old_blame : 0;

    for (size_t i = 0; i < analysis->snapshot->share_count; i++) {
        struct kp_snapshot_share *share = &analysis->snapshot->shares[i];

        share->blame.value *= factor;
        share->blame.variance *= factor * factor;
        share->pinned.value *= factor;
        share->pinned.variance *= factor * factor;
    }
}

void kp_snapshot_analyse(struct kp_snapshot *snapshot, const struct kp_live_set *live,
                         uint64_t joined_us)
{
    uint64_t now_us = snapshot->said.time_us;
    uint64_t age_us = now_us > joined_us ? now_us - joined_us : 0;
    struct analysis analysis = {.snapshot = snapshot,
                                .shift = snapshot->said.page_shift,
                                .old_before_us = now_us - age_us / 10};

    sort_spans(snapshot);
    analysis.has_made_cells = kp_snapshot_cells_make(snapshot, live);
    if (analysis.has_made_cells)
        sort_spans(snapshot);
    join_borders(snapshot, analysis.shift);
    kp_snapshot_estimate(snapshot, live);
    look_at_cells(&analysis);
    look_at_classes(&analysis);
    take_samples(&analysis, live, true);
    if (analysis.old_blame <= 0 && analysis.all_blame > 0) {
        analysis.with_young = true;
        take_samples(&analysis, live, false);
    }
    scale(&analysis);
    kp_snapshot_name_mappings(snapshot, live);
    free(analysis.by_site);
}
