/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of one process: those that are announced, the one that is being read, those that wait
 * for the next commit. See snapshot_table.h. One thread.
 */
#include "snapshot_table.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void free_snapshot(struct kp_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (size_t i = 0; i < snapshot->mapping_count; i++)
        free(snapshot->mappings[i].path);
    free(snapshot->mappings);
    free(snapshot->arenas);
    free(snapshot->spans);
    free(snapshot->cells);
    free(snapshot->shares);
    free(snapshot);
}

void kp_snapshots_release(struct kp_snapshots *snapshots)
{
    for (size_t i = 0; i < snapshots->ready_count; i++)
        free_snapshot(snapshots->ready[i]);
    free(snapshots->ready);
    free(snapshots->awaited);
    free_snapshot(snapshots->open);
    memset(snapshots, 0, sizeof *snapshots);
}

void kp_snapshots_announce(struct kp_snapshots *snapshots, const struct kp_rec_snapshot_taken *taken)
{
    uint64_t number = taken->type_number >> 8, last = snapshots->last;

    if (snapshots->awaited_count)
        last = snapshots->awaited[snapshots->awaited_count - 1].number;
    if (number <= last)
        return;
    snapshots->awaited =
        kp_array_grow(snapshots->awaited, &snapshots->awaited_capacity,
                      snapshots->awaited_count + 1, sizeof *snapshots->awaited);
    snapshots->awaited[snapshots->awaited_count++] =
        (struct kp_snapshot_awaited){.number = number, .time_us = taken->time_us};
}

uint64_t kp_snapshots_horizon(const struct kp_snapshots *snapshots)
{
    return snapshots->awaited_count ? snapshots->awaited[0].time_us : UINT64_MAX;
}

/* All up to this number are no longer awaited. */
static void forget_awaited(struct kp_snapshots *snapshots, uint64_t number)
{
    size_t gone = 0;

    while (gone < snapshots->awaited_count && snapshots->awaited[gone].number <= number)
        gone++;
    snapshots->awaited_count -= gone;
    if (gone && snapshots->awaited_count)
        memmove(snapshots->awaited, snapshots->awaited + gone,
                snapshots->awaited_count * sizeof *snapshots->awaited);
    if (number > snapshots->last)
        snapshots->last = number;
}

void kp_snapshots_give_up(struct kp_snapshots *snapshots)
{
    if (snapshots->awaited_count)
        forget_awaited(snapshots, snapshots->awaited[0].number);
}

static void begin(struct kp_snapshots *snapshots, const struct kp_rec_snapshot *record)
{
    free_snapshot(snapshots->open);
    snapshots->open = kp_alloc(sizeof *snapshots->open);
    snapshots->open->said = *record;
    snapshots->open->number = record->type_number >> 8;
}

static void take_arena(struct kp_snapshot *snapshot, const struct kp_rec_arena *record)
{
    if (record->index != snapshot->arena_count)
        return;
    snapshot->arenas = kp_array_grow(snapshot->arenas, &snapshot->arena_capacity,
                                     snapshot->arena_count + 1, sizeof *snapshot->arenas);
    struct kp_snapshot_arena *arena = &snapshot->arenas[snapshot->arena_count++];
    memset(arena, 0, sizeof *arena);
    arena->said = *record;
}

/* Spans that follow each other in memory and in the cells are one. */
static void take_span(struct kp_snapshot *snapshot, const struct kp_rec_span *record)
{
    unsigned shift = snapshot->said.page_shift;
    uint64_t end = record->start + ((uint64_t)record->cells << shift);

    if (record->arena >= snapshot->arena_count || record->start & ((1u << shift) - 1) ||
        end < record->start || !record->cells)
        return;
    if (!record->is_unseen) {
        snapshot->cells =
            kp_array_grow(snapshot->cells, &snapshot->cell_capacity,
                          snapshot->cell_count + record->cells, sizeof *snapshot->cells);
        memcpy(snapshot->cells + snapshot->cell_count, record + 1,
               record->cells * sizeof(uint32_t));
    }
    snapshot->spans = kp_array_grow(snapshot->spans, &snapshot->span_capacity,
                                    snapshot->span_count + 1, sizeof *snapshot->spans);
    snapshot->spans[snapshot->span_count++] = (struct kp_snapshot_span){
        record->start, end, record->arena,
        record->is_unseen ? KP_NO_CELLS : (uint32_t)snapshot->cell_count};
    snapshot->cell_count += record->is_unseen ? 0 : record->cells;
}

static void take_mapping(struct kp_snapshot *snapshot, const struct kp_rec_mapping *record)
{
    snapshot->mappings = kp_array_grow(snapshot->mappings, &snapshot->mapping_capacity,
                                       snapshot->mapping_count + 1, sizeof *snapshot->mappings);
    const char *path = (const char *)(record + 1);
    snapshot->mappings[snapshot->mapping_count++] = (struct kp_snapshot_mapping){
        .said = *record, .path = kp_copy_text(path, strnlen(path, record->path_bytes))};
}

void kp_snapshots_take(struct kp_snapshots *snapshots, int type, union kp_record record)
{
    struct kp_snapshot *open = snapshots->open;

    if (type == KP_REC_SNAPSHOT)
        begin(snapshots, record.snapshot);
    else if (open && type == KP_REC_ARENA && record.arena->type_number >> 8 == open->number)
        take_arena(open, record.arena);
    else if (open && type == KP_REC_SPAN && record.span->number == open->number)
        take_span(open, record.span);
    else if (open && type == KP_REC_MAPPING && record.mapping->number == open->number)
        take_mapping(open, record.mapping);
}

struct kp_snapshot *kp_snapshots_close(struct kp_snapshots *snapshots, uint64_t number)
{
    struct kp_snapshot *snapshot = snapshots->open;
    bool is_whole = snapshot && snapshot->number == number && number > snapshots->last;

    snapshots->open = NULL;
    forget_awaited(snapshots, number);
    if (is_whole)
        return snapshot;
    free_snapshot(snapshot);
    return NULL;
}

static void count_row(struct kp_snapshots *snapshots, uint64_t number, uint64_t rss)
{
    if (!snapshots->step)
        snapshots->step = 1;
    if (rss > snapshots->peak_rss || !snapshots->peak) {
        snapshots->peak = number;
        snapshots->peak_rss = rss;
    }
    if (number > snapshots->last)
        snapshots->last = number;
    snapshots->newest = number;
    if (number % snapshots->step == 0 && ++snapshots->stored > KP_SNAPSHOTS_KEPT_MAX) {
        snapshots->step *= 2;
        snapshots->stored /= 2;
        snapshots->is_thinned = true;
    }
}

void kp_snapshots_ready(struct kp_snapshots *snapshots, struct kp_snapshot *snapshot)
{
    snapshots->ready = kp_array_grow(snapshots->ready, &snapshots->ready_capacity,
                                     snapshots->ready_count + 1, sizeof *snapshots->ready);
    snapshots->ready[snapshots->ready_count++] = snapshot;
    count_row(snapshots, snapshot->number, snapshot->said.rss);
}

void kp_snapshots_load(struct kp_snapshots *snapshots, uint64_t number, uint64_t rss)
{
    count_row(snapshots, number, rss);
    forget_awaited(snapshots, number);
}

bool kp_snapshots_keep(const struct kp_snapshots *snapshots, uint64_t number)
{
    return number % snapshots->step == 0 || number == snapshots->peak || number == snapshots->newest;
}

void kp_snapshots_settle(struct kp_snapshots *snapshots)
{
    for (size_t i = 0; i < snapshots->ready_count; i++)
        free_snapshot(snapshots->ready[i]);
    snapshots->ready_count = 0;
    snapshots->is_thinned = false;
}

const struct kp_snapshot_span *kp_snapshot_span_at(const struct kp_snapshot *snapshot,
                                                  uint64_t address)
{
    size_t low = 0, high = snapshot->span_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (snapshot->spans[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < snapshot->span_count && snapshot->spans[low].start <= address
               ? &snapshot->spans[low]
               : NULL;
}
