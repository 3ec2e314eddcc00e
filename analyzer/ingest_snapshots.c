/* SPDX-License-Identifier: MIT */
/*
 * Snapshots on their way from records to rows. When a slot comes to one, it waits until all others
 * have come to its time; those stop there (ingest_record.c, STAMP). Then what is live is what was
 * live, and the snapshot is looked at. One that was announced and does not come is given up in the
 * second round. One thread.
 */
#include "ingest_slot.h"

#include "ingest.h"
#include "snapshot_doubt.h"

#include <math.h>

static void look(struct kp_slot_run *run, uint64_t number)
{
    struct kp_recorded *process = run->process;
    struct kp_snapshot *snapshot = kp_snapshots_close(&process->snapshots, number);

    if (!snapshot)
        return;
    kp_outside_give(&process->outside, snapshot);
    kp_snapshot_analyse(snapshot, &process->live, process->info.joined_ns / 1000);
    kp_snapshots_ready(&process->snapshots, snapshot);
    run->ingest->is_changed = true;
}

void kp_ingest_snapshot(struct kp_slot_run *run, int type, union kp_record record)
{
    const struct kp_snapshots *snapshots = &run->process->snapshots;
    uint64_t number = kp_decode_id(*record.free);

    if (type == KP_REC_SNAPSHOT && snapshots->awaited_count &&
        snapshots->awaited[0].number == number && run->process->snapshot_now != number) {
        run->queue->at_snapshot = number;
        return;
    }
    if (type == KP_REC_SNAPSHOT_END)
        look(run, number);
    else
        kp_snapshots_take(&run->process->snapshots, type, record);
}

/* The one that is waited for is not among what can be read: was it announced long ago? */
static bool is_lost(struct kp_recorded *process)
{
    struct kp_snapshots *snapshots = &process->snapshots;
    bool is_late = snapshots->awaited_count && (snapshots->awaited[0].is_old || process->was_gone);

    for (size_t i = 0; i < snapshots->awaited_count; i++)
        snapshots->awaited[i].is_old = true;
    return is_late;
}

bool kp_ingest_snapshot_is_next(struct kp_recorded *process)
{
    bool is_stopped = false;

    for (uint32_t slot = 0; slot < process->slot_count; slot++) {
        const struct kp_slot_queue *queue = process->slots[slot];

        if (queue && queue->at_snapshot && queue->at_snapshot != process->snapshot_now) {
            process->snapshot_now = queue->at_snapshot;
            return true;
        }
        is_stopped |= queue && queue->waits_until_us;
    }
    if (!is_lost(process))
        return false;
    kp_snapshots_give_up(&process->snapshots);
    return is_stopped;
}

/* ---- rows ---- */

static double seconds(uint64_t us)
{
    return (double)us / 1e6;
}

/* Less than 0 is null: what is unknown, and what only damage makes that large. */
static int64_t known(uint64_t value)
{
    return (int64_t)value;
}

static void write_snapshot(struct kp_store *store, int64_t process, const struct kp_snapshot *s)
{
    static const char *const whys[] = {"", "clock", "peak", "mark", "end"};
    const struct kp_rec_snapshot *said = &s->said;

    kp_store_run(store, KP_SQL_SNAPSHOT, "iidtiiiidIIdddddD", process, (int64_t)s->number,
                 seconds(said->time_us), whys[said->why <= KP_SNAPSHOT_END ? said->why : 0],
                 known(said->rss), known(said->rss_file), (int64_t)1 << said->page_shift,
                 (int64_t)said->is_partial, seconds(said->cost_us), known(said->trim_threshold),
                 known(said->mmap_threshold), s->live_malloc.value, s->live_malloc.variance,
                 s->live_object.value, s->live_object.variance, s->live_mmap.value,
                 s->mappings_us ? seconds(s->mappings_us) : -1.0);
}

static const char *arena_kind(unsigned kind)
{
    static const char *const names[] = {"",
                                        "total",
                                        "glibc main",
                                        "glibc thread",
                                        "glibc mmap",
                                        "jemalloc",
                                        "jemalloc bin",
                                        "mimalloc",
                                        "mimalloc class",
                                        "tcmalloc",
                                        "pymalloc",
                                        "pymalloc class",
                                        "mimalloc rest"};

    return kind <= KP_ARENA_LAST ? names[kind] : "";
}

/* Bits, and above them the doubt in thousandths of the size. */
static int64_t partial_of(const struct kp_snapshot *s, uint32_t arena)
{
    const struct kp_rec_arena *said = &s->arenas[arena].said;
    double doubt = said->size ? 1000 * kp_snapshot_doubt(s, arena) / (double)said->size : 0;

    return said->is_partial | (int64_t)fmin(1000, ceil(doubt)) << 8;
}

static void write_arena(struct kp_store *store, int64_t process, const struct kp_snapshot *s,
                        uint32_t index)
{
    const struct kp_snapshot_arena *arena = &s->arenas[index];
    const struct kp_rec_arena *said = &arena->said;
    int64_t number = (int64_t)s->number;

    kp_store_run(store, KP_SQL_ARENA, "iiitiNNNNNNNNiIi", process, number, (int64_t)said->index,
                 arena_kind(said->kind), known(said->unit), known(said->size), known(said->in_use),
                 known(said->free), known(said->largest_free), known(said->top),
                 known(said->resident), known(said->trimmable), known(said->large_free),
                 known(arena->waste), arena->top_site ? arena->top_site->row : (int64_t)0,
                 partial_of(s, index));
    for (unsigned step = 0; step < KP_OCCUPANCY_STEPS; step++) {
        const struct kp_occupancy *at = &arena->occupancy[step];

        if (at->cells)
            kp_store_run(store, KP_SQL_OCCUPANCY, "iiiiiii", process, number, (int64_t)said->index,
                         (int64_t)step, known(at->cells), known(at->resident), known(at->used));
    }
}

static void write_share(struct kp_store *store, int64_t process, const struct kp_snapshot *s,
                        const struct kp_snapshot_share *share)
{
    kp_store_run(store, KP_SQL_WASTE, "iiiiddddddddiii", process, (int64_t)s->number,
                 share->site->row, known(share->samples), share->blame.value,
                 share->blame.variance, share->blame.largest, share->pinned.value,
                 share->pinned.variance, share->blocks, share->bytes, share->pinned_blocks,
                 known(share->oldest_us), known(share->oldest_iteration),
                 (int64_t)(s->said.page_shift == 12));
}

static void write_mapping(struct kp_store *store, int64_t process, const struct kp_snapshot *s,
                          const struct kp_snapshot_mapping *mapping)
{
    static const char *const kinds[] = {"",     "file",  "shared", "stack", "heap",
                                        "kprof", "other", "data",   "range", "blocks"};
    const struct kp_rec_mapping *said = &mapping->said;

    kp_store_run(store, KP_SQL_MAPPING, "iiittiiiiI", process, (int64_t)s->number,
                 known(said->start), kinds[said->kind <= KP_MAPPING_LAST ? said->kind : 0],
                 mapping->path, known(said->end - said->start), known(said->rss),
                 known(said->anonymous), known(said->swap),
                 mapping->site ? mapping->site->row : (int64_t)0);
}

static void write_whole(struct kp_store *store, int64_t process, const struct kp_snapshots *all,
                        const struct kp_snapshot *s)
{
    bool has_details = s->number == all->peak || s->number == all->newest;

    write_snapshot(store, process, s);
    for (uint32_t i = 0; i < s->arena_count; i++)
        write_arena(store, process, s, i);
    for (size_t i = 0; i < s->share_count; i++)
        write_share(store, process, s, &s->shares[i]);
    for (size_t i = 0; has_details && i < s->mapping_count; i++)
        write_mapping(store, process, s, &s->mappings[i]);
}

/* Details of the peak and of the last one are kept, and every so many of the others. */
static void delete_others(struct kp_store *store, int64_t process, const struct kp_snapshots *all)
{
    int64_t peak = known(all->peak), last = known(all->newest);

    kp_store_run(store, KP_SQL_OCCUPANCY_GONE, "iii", process, peak, last);
    kp_store_run(store, KP_SQL_WASTE_GONE, "iii", process, peak, last);
    kp_store_run(store, KP_SQL_MAPPING_GONE, "iii", process, peak, last);
    if (all->is_thinned) {
        kp_store_run(store, KP_SQL_SNAPSHOTS_GONE, "iiii", process, known(all->step), peak, last);
        kp_store_run(store, KP_SQL_ARENAS_GONE, "iiii", process, known(all->step), peak, last);
    }
}

void kp_ingest_snapshots_write(struct kp_store *store, const struct kp_recorded *process)
{
    const struct kp_snapshots *snapshots = &process->snapshots;

    if (!snapshots->ready_count)
        return;
    for (size_t i = 0; i < snapshots->ready_count; i++)
        if (kp_snapshots_keep(snapshots, snapshots->ready[i]->number))
            write_whole(store, (int64_t)process->number, snapshots, snapshots->ready[i]);
    delete_others(store, (int64_t)process->number, snapshots);
}
