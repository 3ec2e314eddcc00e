/* SPDX-License-Identifier: MIT */
/*
 * The rows of everything that has changed since the last commit. Nothing is changed by this but the
 * numbers of samples' rows: it can be done again after a failure.
 */
#include "ingest.h"

#include <stdlib.h>

static double seconds(uint64_t us)
{
    return (double)us / 1e6;
}

static const char *origin_name(uint32_t origin)
{
    return origin == KP_ORIGIN_ROOT ? "root" : origin == KP_ORIGIN_EXEC ? "exec" : "fork";
}

static const char *unwinder_name(uint32_t unwinder)
{
    switch (unwinder) {
    case KP_UNWIND_CFI: return "cfi";
    case KP_UNWIND_LIBUNWIND: return "libunwind";
    case KP_UNWIND_GCC: return "gcc";
    case KP_UNWIND_FP: return "frame pointers";
    default: return "";
    }
}

/* SQLite has no unsigned integers; a counter that large is damage. */
static int64_t number(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void write_process(struct kp_store *store, const struct kp_recorded *process)
{
    const struct kp_process_info *info = &process->info;
    uint64_t peak = process->memory.peak_rss > info->peak_rss_bytes ? process->memory.peak_rss
                                                                    : info->peak_rss_bytes;

    kp_store_run(
        store, KP_SQL_PROCESS, "iiiIttttttdtdDtIdiiiiiiiiiiiddddi", (int64_t)process->number,
        (int64_t)process->watched.pid, (int64_t)info->ppid, number(info->parent),
        origin_name(info->origin), process->exe ? process->exe : "",
        process->argv ? process->argv : "[]", process->allocator ? process->allocator : "",
        process->python ? process->python : "", process->directory ? process->directory : "",
        (double)info->before_join_ns / 1e9, unwinder_name(info->unwinder),
        seconds(info->joined_ns / 1000), process->end ? seconds(process->ended_us) : -1.0,
        process->end, number(info->fixed_rate), (double)info->budget_ppm / 1e6,
        number(kp_process_samples(process)), number(info->lost_samples), number(info->lost_frees),
        number(info->lost_nested), number(info->lost_definitions), number(info->cut_frames),
        number(info->broken_stacks), number(info->python_broken), number(info->python_cut_frames),
        number(info->rate_min), number(info->rate_max), (double)info->sampling_ns / 1e9,
        (double)info->cpu_ns / 1e9, (double)info->late_sampling_ns / 1e9,
        (double)info->late_cpu_ns / 1e9, number(peak));
}

static void write_threads(struct kp_store *store, const struct kp_recorded *process)
{
    for (uint32_t i = 1; i <= process->thread_count; i++) {
        const struct kp_thread_row *thread = process->threads[i];

        if (!thread->stored || thread->dirty)
            kp_store_run(store, KP_SQL_THREAD, "iiitdi", thread->row, (int64_t)process->number,
                         (int64_t)thread->tid, thread->name, seconds(thread->first_us),
                         number(thread->samples));
    }
}

static void write_timeline(struct kp_store *store, const struct kp_recorded *process)
{
    const struct kp_slices *timeline = &process->timeline;

    if (timeline->rewrite)
        kp_store_run(store, KP_SQL_TIMELINE_CLEAR, "i", (int64_t)process->number);
    for (uint32_t i = 0; timeline->dirty && i < timeline->count; i++) {
        const struct kp_slice_sums *slice = &timeline->slices[i];

        if (slice->used && (slice->dirty || timeline->rewrite))
            kp_store_run(store, KP_SQL_TIMELINE, "iddiddddii", (int64_t)process->number,
                         seconds((timeline->first + i) * timeline->slice_us),
                         seconds(timeline->slice_us), number(slice->samples),
                         slice->allocated_bytes, slice->allocated_count, slice->freed_bytes,
                         slice->freed_count, number(slice->rate_min), number(slice->rate_max));
    }
}

static void write_memory(struct kp_store *store, const struct kp_recorded *process)
{
    const struct kp_memory_series *memory = &process->memory;
    const char *unknown = NULL;

    for (size_t i = 0; i < memory->dropped_count; i++)
        kp_store_run(store, KP_SQL_MEMORY_GONE, "id", (int64_t)process->number,
                     seconds(memory->dropped[i]));
    for (uint32_t i = memory->count; i-- > 0 && !memory->readings[i].stored;) {
        const struct kp_reading *reading = &memory->readings[i];

        if (reading->has_detail)
            kp_store_run(store, KP_SQL_MEMORY, "idiiiiii", (int64_t)process->number,
                         seconds(reading->time_us), number(reading->rss), number(reading->pss),
                         number(reading->private_bytes), number(reading->anonymous),
                         number(reading->swap), (int64_t)reading->threads);
        else
            kp_store_run(store, KP_SQL_MEMORY, "idittttI", (int64_t)process->number,
                         seconds(reading->time_us), number(reading->rss), unknown, unknown, unknown,
                         unknown, (int64_t)reading->threads);
    }
}

static void write_marks(struct kp_store *store, const struct kp_recorded *process)
{
    if (process->marks_thinned)
        kp_store_run(store, KP_SQL_MARKS_GONE, "ii", (int64_t)process->number,
                     number(process->mark_step));
    for (size_t i = 0; i < process->mark_count; i++)
        kp_store_run(store, KP_SQL_MARK, "iiiii", (int64_t)process->number,
                     number(process->marks[i].iteration), number(process->marks[i].time_us),
                     process->marks[i].thread->row, number(process->marks[i].rate));
    for (size_t i = 0; i < process->totals_count; i++) {
        const struct kp_totals_row *totals = &process->totals[i];

        kp_store_run(store, KP_SQL_MARK_TOTALS, "iiNNNNNN", (int64_t)process->number,
                     number(totals->iteration), (int64_t)totals->rss, (int64_t)totals->malloc_used,
                     (int64_t)totals->malloc_held, (int64_t)totals->object_held,
                     (int64_t)totals->object_used, (int64_t)totals->object_blocks);
    }
}

/* What is still of interest of those that have come since the last commit. */
static void write_departed(struct kp_store *store, const struct kp_recorded *process)
{
    const struct kp_departed *departed = &process->departed;

    if (departed->may_have_rows)
        kp_store_run(store, KP_SQL_DEPARTED_GONE, "iii", (int64_t)process->number,
                     number(kp_departed_since_us(departed)), number(departed->last_mark));
    for (size_t i = departed->stored; i < departed->count; i++) {
        const struct kp_departed_sample *gone = &departed->samples[i];

        if (kp_departed_is_kept(departed, gone))
            kp_store_run(store, KP_SQL_DEPARTED, "iiidiiii", (int64_t)process->number, gone->site,
                         number(gone->size), gone->weight, number(gone->born_us),
                         number(gone->born_iteration), number(gone->freed_us),
                         number(gone->freed_iteration));
    }
}

static void write_cursors(struct kp_store *store, const struct kp_recorded *process)
{
    for (uint32_t slot = 0; slot < process->slot_count; slot++) {
        const struct kp_data_chunk *chunk =
            process->slots[slot] ? process->slots[slot]->first : NULL;

        for (; chunk; chunk = chunk->next)
            if (chunk->offset != chunk->stored_offset)
                kp_store_run(store, KP_SQL_CURSOR, "ii", (int64_t)chunk->seq,
                             (int64_t)chunk->offset);
    }
}

static void write_of_process(struct kp_ingest *ingest, const struct kp_recorded *process)
{
    struct kp_store *store = ingest->store;

    if (!process->stored || process->dirty || process->memory.dirty)
        write_process(store, process);
    for (uint32_t i = process->notes_stored; i < process->note_count; i++)
        kp_store_run(store, KP_SQL_NOTE, "it", (int64_t)process->number, process->notes[i]);
    write_threads(store, process);
    write_timeline(store, process);
    write_memory(store, process);
    write_marks(store, process);
    write_departed(store, process);
    kp_ingest_phases_write(ingest, process);
    kp_ingest_snapshots_write(store, process);
    kp_ingest_conversions_write(ingest, process);
    write_cursors(store, process);
}

/* The names of Python's are known already. */
static void write_location(struct kp_store *store, const struct kp_stack_tree *tree, uint32_t id)
{
    const struct kp_tree_location *location = &tree->locations[id];

    kp_store_run(store, KP_SQL_LOCATION, "iiii", (int64_t)id, (int64_t)location->module,
                 (int64_t)location->code, (int64_t)location->address);
    if (location->code)
        kp_store_run(store, KP_SQL_FRAME, "iittiit", (int64_t)id, (int64_t)0,
                     tree->codes[location->code].function, tree->codes[location->code].file,
                     (int64_t)location->address, (int64_t)1, "python");
}

static void write_tree(struct kp_store *store, const struct kp_stack_tree *tree)
{
    for (uint32_t i = tree->modules_stored + 1; i <= tree->module_count; i++)
        kp_store_run(store, KP_SQL_MODULE, "itt", (int64_t)i, tree->modules[i].path,
                     tree->modules[i].build_id);
    for (uint32_t i = tree->codes_stored + 1; i <= tree->code_count; i++)
        kp_store_run(store, KP_SQL_CODE, "itti", (int64_t)i, tree->codes[i].file,
                     tree->codes[i].function, (int64_t)tree->codes[i].first_line);
    for (uint32_t i = tree->locations_stored + 1; i <= tree->location_count; i++)
        write_location(store, tree, i);
    for (uint32_t i = tree->stacks_stored + 1; i <= tree->stack_count; i++)
        kp_store_run(store, KP_SQL_STACK, "iii", (int64_t)i, (int64_t)tree->stacks[i].parent,
                     (int64_t)tree->stacks[i].location);
}

static void write_site(struct kp_store *store, const struct kp_site_sums *site)
{
    const struct kp_weighed *ab = &site->allocated_bytes, *ac = &site->allocated_count;
    const struct kp_weighed *lb = &site->live_bytes, *lc = &site->live_count;

    if (!site->stored)
        kp_store_run(store, KP_SQL_SITE_NEW, "iiitiddddddiddddddiddii", site->row,
                     (int64_t)site->process, (int64_t)site->stack, kp_kind_name(site->kind),
                     number(site->samples), ab->value, ab->variance, ab->largest, ac->value,
                     ac->variance, ac->largest, number(site->live_samples), lb->value, lb->variance,
                     lb->largest, lc->value, lc->variance, lc->largest, number(site->rate_max),
                     seconds(site->first_us), seconds(site->last_us), (int64_t)KP_ALLOC_ENTRY(site->stamp),
                     (int64_t)kp_site_converting(site->stamp));
    else
        kp_store_run(store, KP_SQL_SITE_CHANGE, "iiddddddiddddddidd", site->row,
                     number(site->samples), ab->value, ab->variance, ab->largest, ac->value,
                     ac->variance, ac->largest, number(site->live_samples), lb->value, lb->variance,
                     lb->largest, lc->value, lc->variance, lc->largest, number(site->rate_max),
                     seconds(site->first_us), seconds(site->last_us));
}

static void write_lifetimes(struct kp_store *store, const struct kp_site_sums *site)
{
    static const char *const names[] = {[KP_AGE_TIME] = "time", [KP_AGE_ITERATION] = "iteration"};

    for (int unit = 0; unit < KP_AGE_UNITS; unit++)
        for (int log2_age = 0; log2_age < site->lifetimes.count[unit]; log2_age++) {
            const struct kp_age_cell *cell = &site->lifetimes.cells[unit][log2_age];

            if (cell->samples)
                kp_store_run(store, KP_SQL_LIFETIME, "itiidd", site->row, names[unit],
                             (int64_t)log2_age, number(cell->samples), cell->bytes, cell->count);
        }
}

static void write_threads_of(struct kp_store *store, const struct kp_site_sums *site)
{
    const struct kp_site_threads *threads = site->threads;

    for (int i = 0; threads && i < KP_SITE_THREADS && threads->rows[i].samples; i++)
        kp_store_run(store, KP_SQL_SITE_THREAD, "iti", site->row, threads->rows[i].name,
                     number(threads->rows[i].samples));
    if (threads && threads->others)
        kp_store_run(store, KP_SQL_SITE_THREAD, "iti", site->row, "", number(threads->others));
}

static void write_sites(struct kp_ingest *ingest)
{
    for (size_t i = 0; i < ingest->dirty_sites.count; i++) {
        write_site(ingest->store, ingest->dirty_sites.sites[i]);
        write_lifetimes(ingest->store, ingest->dirty_sites.sites[i]);
        write_threads_of(ingest->store, ingest->dirty_sites.sites[i]);
    }
}

static void write_events(struct kp_ingest *ingest)
{
    for (size_t i = 0; i < ingest->events.count; i++) {
        const struct kp_event *event = &ingest->events.events[i];

        kp_store_run(ingest->store, KP_SQL_EVENT, "iiiiIN", (int64_t)event->process, event->thread,
                     number(event->time_us), (int64_t)event->sample, event->site,
                     event->site ? number(event->size) : (int64_t)-1);
    }
}

static void write_old_samples(struct kp_ingest *ingest)
{
    for (size_t i = 0; i < ingest->shrunk.count; i++)
        kp_store_run(ingest->store, KP_SQL_SAMPLE_SIZE, "ii", ingest->shrunk.rows[i].row,
                     number(ingest->shrunk.rows[i].size));
    for (size_t i = 0; i < ingest->gone.count; i++)
        kp_store_run(ingest->store, KP_SQL_SAMPLE_GONE, "i", ingest->gone.rows[i].row);
}

/* Goes over the samples without a row, process by process. */
struct new_samples {
    struct kp_ingest *ingest;
    uint32_t process; /* place of the next one */
    const struct kp_live_set *live;
    uint32_t next;
};

static bool next_new_sample(void *context, struct kp_sample_row *row)
{
    struct new_samples *at = context;

    while (!at->next) {
        if (at->process == at->ingest->process_count)
            return false;
        at->live = &at->ingest->processes[at->process++]->live;
        at->next = at->live->first_unstored;
    }
    struct kp_live_sample *sample = kp_live_set_at(at->live, at->next);
    at->next = sample->next;
    sample->row = at->ingest->next_sample++;
    *row = (struct kp_sample_row){.id = sample->row,
                                  .site = sample->site->row,
                                  .thread = sample->thread->row,
                                  .shim_id = (int64_t)sample->id,
                                  .size = number(sample->size),
                                  .weight = sample->weight,
                                  .address = (int64_t)sample->address,
                                  .born_us = number(sample->born_us),
                                  .born_iteration = number(sample->born_iteration)};
    return true;
}

static void write_new_samples(struct kp_ingest *ingest)
{
    struct new_samples at = {.ingest = ingest};

    kp_store_write_samples(ingest->store, next_new_sample, &at);
}

void kp_ingest_write(struct kp_ingest *ingest)
{
    struct kp_store *store = ingest->store;

    ingest->lost_processes = ingest->spool->header->lost_processes;
    kp_store_run(store, KP_SQL_SESSION, "ii", (int64_t)0, number(ingest->lost_processes));
    write_tree(store, &ingest->tree);
    for (uint32_t i = 0; i < ingest->process_count; i++)
        write_of_process(ingest, ingest->processes[i]);
    write_sites(ingest);
    write_events(ingest);
    write_old_samples(ingest);
    write_new_samples(ingest);
    for (size_t i = 0; i < ingest->old_cursor_count; i++)
        kp_store_run(store, KP_SQL_CURSOR_GONE, "i", (int64_t)ingest->old_cursors[i]);
}
