/* SPDX-License-Identifier: MIT */
/*
 * What a data record does: samples are born, shrink and die, and with them the sums of their sites,
 * threads and slices of time; marks and their totals are kept; stamps, rates and threads hold for
 * the records behind them. A FREE or RESIZE of a sample that is still to come makes the slot wait.
 */
#include "ingest_slot.h"

#include "alloc.h"
#include "weight.h"

void kp_slot_run_flush_slice(struct kp_slot_run *run)
{
    if (!run->slice.used)
        return;
    kp_slices_add(&run->process->timeline, run->chunk->time_us, &run->slice);
    run->slice = (struct kp_slice_sums){0};
}

static struct kp_site_sums *site_of(struct kp_slot_run *run, const struct kp_rec_alloc *record)
{
    struct kp_recorded *process = run->process;
    struct kp_node *node = kp_process_node(process, record->node);
    uint16_t stamp = record->flags & KP_ALLOC_CONVERTING
                         ? record->flags
                         : (uint16_t)(record->flags & ~KP_ALLOC_FROM_PYTHON);

    if (node && node->site && node->site->kind == record->kind &&
        node->site->stamp == stamp)
        return node->site;
    struct kp_site_sums like = {.process = process->number,
                                .stack = node ? node->stack : 0,
                                .kind = record->kind,
                                .stamp = stamp};
    struct kp_site_sums *site = kp_site_get(&process->sites, &like, &run->ingest->next_site);
    if (node)
        node->site = site;
    return site;
}

static struct kp_thread_row *thread_of(struct kp_slot_run *run)
{
    if (!run->chunk->thread)
        run->chunk->thread = kp_process_thread(run->process, run->process->watched.pid, "",
                                               &run->ingest->next_thread);
    return run->chunk->thread;
}

static void count_in_thread(struct kp_slot_run *run)
{
    struct kp_thread_row *thread = thread_of(run);

    if (thread->samples++ == 0 || run->chunk->time_us < thread->first_us)
        thread->first_us = run->chunk->time_us;
    thread->dirty = true;
}

static void count_in_slice(struct kp_slot_run *run, const struct kp_live_sample *sample)
{
    struct kp_slice_sums *slice = &run->slice;
    uint64_t rate = run->chunk->rate;

    slice->used = true;
    slice->samples++;
    slice->allocated_bytes += (double)sample->size * sample->weight;
    slice->allocated_count += sample->weight;
    if (!slice->rate_min || rate < slice->rate_min)
        slice->rate_min = rate;
    if (rate > slice->rate_max)
        slice->rate_max = rate;
}

static void keep_event(struct kp_slot_run *run, uint64_t id, const struct kp_site_sums *site,
                       uint64_t size)
{
    kp_event_list_add(&run->ingest->events, &(struct kp_event){.process = run->process->number,
                                                               .thread = thread_of(run)->row,
                                                               .site = site ? site->row : 0,
                                                               .time_us = run->chunk->time_us,
                                                               .sample = id,
                                                               .size = size});
}

static void take_alloc(struct kp_slot_run *run, const struct kp_rec_alloc *record)
{
    struct kp_data_chunk *chunk = run->chunk;
    uint64_t counter = chunk->first_sample + chunk->samples++;
    struct kp_live_sample *sample =
        kp_live_set_insert(&run->process->live, KP_SAMPLE_ID((uint64_t)run->slot, counter));

    run->queue->next_sample = counter + 1;
    run->ingest->samples++;
    if (!sample) {
        run->ingest->orphans++;
        return;
    }
    sample->size = record->size;
    sample->address = record->address;
    sample->weight = 1 / kp_sample_probability(record->size, chunk->rate);
    sample->site = site_of(run, record);
    sample->thread = thread_of(run);
    sample->born_us = chunk->time_us;
    sample->born_iteration = chunk->iteration;
    kp_site_add(sample->site, sample, chunk->rate);
    kp_site_touch(&run->ingest->dirty_sites, sample->site);
    if (sample->thread->tid != run->process->watched.pid)
        kp_site_threads_count(&sample->site->threads, sample->thread->name);
    count_in_thread(run);
    keep_event(run, sample->id, sample->site, sample->size);
    kp_ingest_phases_sample(run->ingest, run->process, sample);
    if (kp_kind_is_memory(record->kind))
        count_in_slice(run, sample);
}

static void list_row(struct kp_row_list *list, int64_t row, uint64_t size)
{
    list->rows = kp_array_grow(list->rows, &list->capacity, list->count + 1, sizeof *list->rows);
    list->rows[list->count++] = (struct kp_freed_row){row, size};
}

static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static void free_sample(struct kp_slot_run *run, struct kp_live_sample *sample)
{
    struct kp_ingest *ingest = run->ingest;
    const struct kp_data_chunk *chunk = run->chunk;
    double bytes = (double)sample->size * sample->weight;

    kp_lifetimes_add(&sample->site->lifetimes, KP_AGE_TIME, since(chunk->time_us, sample->born_us),
                     bytes, sample->weight);
    if (chunk->iteration)
        kp_lifetimes_add(&sample->site->lifetimes, KP_AGE_ITERATION,
                         since(chunk->iteration, sample->born_iteration), bytes, sample->weight);
    kp_departed_add(&run->process->departed, sample, chunk->time_us, chunk->iteration);
    keep_event(run, sample->id, NULL, 0);
    kp_site_remove(sample->site, sample);
    kp_site_touch(&ingest->dirty_sites, sample->site);
    if (kp_kind_is_memory(sample->site->kind)) {
        run->slice.used = true;
        run->slice.freed_bytes += bytes;
        run->slice.freed_count += sample->weight;
    }
    if (kp_live_set_is_stored(&run->process->live, sample))
        list_row(&ingest->gone, sample->row, 0);
    kp_live_set_remove(&run->process->live, sample);
}

static void shrink_sample(struct kp_slot_run *run, struct kp_live_sample *sample, uint64_t size)
{
    if (size >= sample->size)
        return;
    kp_site_resize(sample->site, sample, size);
    kp_site_touch(&run->ingest->dirty_sites, sample->site);
    if (kp_kind_is_memory(sample->site->kind)) {
        run->slice.used = true;
        run->slice.freed_bytes += (double)(sample->size - size) * sample->weight;
    }
    sample->size = size;
    if (kp_live_set_is_stored(&run->process->live, sample))
        list_row(&run->ingest->shrunk, sample->row, size);
}

/* NULL: there is none; then either the slot waits for it, or it will never come. */
static struct kp_live_sample *find_sample(struct kp_slot_run *run, uint64_t id)
{
    struct kp_live_sample *sample = kp_live_set_find(&run->process->live, id);

    if (sample)
        return sample;
    if (kp_slot_is_to_come(run->process, id) && run->queue->given_up != id) {
        run->queue->waits_for = id;
        return NULL;
    }
    run->ingest->orphans++;
    return NULL;
}

static bool is_kept(const struct kp_recorded *process, uint64_t iteration)
{
    return iteration % process->mark_step == 0;
}

static void thin_marks(struct kp_recorded *process)
{
    size_t kept = 0;

    process->mark_step *= 2;
    process->marks_stored /= 2;
    process->marks_thinned = true;
    for (size_t i = 0; i < process->mark_count; i++)
        if (is_kept(process, process->marks[i].iteration))
            process->marks[kept++] = process->marks[i];
    process->mark_count = kept;
}

/* A chunk without a sample so far has not said it: 0. */
static uint64_t rate_told(const struct kp_slot_run *run)
{
    return run->chunk->rate > 1 || run->process->info.fixed_rate == 1 ? run->chunk->rate : 0;
}

static void take_mark(struct kp_slot_run *run, const struct kp_rec_mark *record)
{
    struct kp_recorded *process = run->process;
    struct kp_mark_row mark = {kp_decode_id(record->type_iteration & ~KP_MARK_AT_BEGIN),
                               record->time_us, rate_told(run), thread_of(run)};

    if (mark.iteration == 0) {
        kp_ingest_phases_begin(run->ingest, process, &mark);
        return;
    }
    kp_ingest_phases_mark(run->ingest, process, &mark, record->type_iteration & KP_MARK_AT_BEGIN);
    if (mark.iteration > process->departed.last_mark)
        process->departed.last_mark = mark.iteration;
    if (!is_kept(process, mark.iteration))
        return;
    process->marks = kp_array_grow(process->marks, &process->mark_capacity, process->mark_count + 1,
                                   sizeof *process->marks);
    process->marks[process->mark_count++] = mark;
    if (process->marks_stored + process->mark_count > KP_MARKS_MAX)
        thin_marks(process);
}

/* Totals of a mark that has gone change no row. */
static void take_totals(struct kp_recorded *process, const struct kp_rec_totals *record)
{
    uint64_t iteration = kp_decode_id(record->type_iteration);

    if (!is_kept(process, iteration))
        return;
    process->totals = kp_array_grow(process->totals, &process->totals_capacity,
                                    process->totals_count + 1, sizeof *process->totals);
    process->totals[process->totals_count++] =
        (struct kp_totals_row){iteration,           record->rss,         record->malloc_used,
                               record->malloc_held, record->object_held, record->object_used,
                               record->object_blocks};
}

static void take_stamp(struct kp_slot_run *run, const struct kp_rec_stamp *record)
{
    kp_slot_run_flush_slice(run);
    run->chunk->time_us = record->time_us;
    run->chunk->iteration = kp_decode_id(record->type_iteration);
    if (record->time_us > run->process->last_us)
        run->process->last_us = record->time_us;
}

void kp_slot_run_take_state(struct kp_slot_run *run, int type, union kp_record record)
{
    if (type == KP_REC_STAMP)
        take_stamp(run, record.stamp);
    else if (type == KP_REC_RATE)
        run->chunk->rate = record.rate->rate;
    else if (type == KP_REC_THREAD)
        run->chunk->thread = kp_process_thread(run->process, record.thread->tid,
                                               record.thread->name, &run->ingest->next_thread);
}

void kp_slot_run_take(struct kp_slot_run *run, int type, union kp_record record)
{
    struct kp_live_sample *sample;

    switch (type) {
    case KP_REC_ALLOC: take_alloc(run, record.alloc); break;
    case KP_REC_FREE:
        sample = find_sample(run, kp_decode_id(*record.free));
        if (sample)
            free_sample(run, sample);
        break;
    case KP_REC_RESIZE:
        sample = find_sample(run, kp_decode_id(record.resize->type_id));
        if (sample)
            shrink_sample(run, sample, record.resize->size);
        break;
    case KP_REC_STAMP:
        if (record.stamp->time_us > kp_snapshots_horizon(&run->process->snapshots))
            run->queue->waits_until_us = record.stamp->time_us;
        else
            take_stamp(run, record.stamp);
        break;
    case KP_REC_SNAPSHOT:
    case KP_REC_ARENA:
    case KP_REC_SPAN:
    case KP_REC_MAPPING:
    case KP_REC_SNAPSHOT_END: kp_ingest_snapshot(run, type, record); break;
    case KP_REC_MARK: take_mark(run, record.mark); break;
    case KP_REC_TOTALS: take_totals(run->process, record.totals); break;
    case KP_REC_ACTIVATION: kp_ingest_activation(run->process, record.activation); break;
    default: kp_slot_run_take_state(run, type, record); break;
    }
}
