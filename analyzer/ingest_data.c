/* SPDX-License-Identifier: MIT */
/*
 * Data of a process. Each writer slot is a queue of chunks that is read in order; slots run against
 * each other. A sample may be freed by another thread, whose FREE may be seen before the ALLOC: the
 * id names the slot and the counter of its ALLOC, so that we know whether that is still to come.
 * If it is, the slot waits and the others run on. As an ALLOC is published before its FREE can be,
 * waiting has no cycles, and the ALLOC is in the next round's snapshot at the latest: a FREE that
 * waits then for what the snapshot does not have is one that nobody can explain (its ALLOC was lost
 * to damage). It is dropped and counted.
 */
#include "ingest.h"

#include "alloc.h"
#include "weight.h"

#include <stdlib.h>
#include <string.h>

enum run_end { RUN_READ, RUN_WAITS, RUN_DAMAGED };

/* One slot while it runs. */
struct run {
    struct kp_ingest *ingest;
    struct kp_recorded *process;
    struct kp_slot_queue *queue;
    uint32_t slot;
    struct kp_data_chunk *chunk;
    struct kp_slice_sums slice; /* of the timeline, since the chunk's last STAMP */
};

static void flush_slice(struct run *run)
{
    if (!run->slice.used)
        return;
    kp_slices_add(&run->process->timeline, run->chunk->time_us, &run->slice);
    run->slice = (struct kp_slice_sums){0};
}

static struct kp_site_sums *site_of(struct run *run, uint32_t id, uint8_t kind)
{
    struct kp_recorded *process = run->process;
    struct kp_node *node = kp_process_node(process, id);

    if (node && node->site && node->kind == kind)
        return node->site;
    struct kp_site_sums *site = kp_site_get(&process->sites, process->number,
                                            node ? node->stack : 0, kind, &run->ingest->next_site);
    if (node) {
        node->site = site;
        node->kind = kind;
    }
    return site;
}

static struct kp_thread_row *thread_of(struct run *run)
{
    if (!run->chunk->thread)
        run->chunk->thread = kp_process_thread(run->process, run->process->watched.pid, "",
                                               &run->ingest->next_thread);
    return run->chunk->thread;
}

static void count_in_thread(struct run *run)
{
    struct kp_thread_row *thread = thread_of(run);

    if (thread->samples++ == 0 || run->chunk->time_us < thread->first_us)
        thread->first_us = run->chunk->time_us;
    thread->dirty = true;
}

static void count_in_slice(struct run *run, const struct kp_live_sample *sample)
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

static void take_alloc(struct run *run, const struct kp_rec_alloc *record)
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
    sample->site = site_of(run, record->node, record->kind);
    sample->thread = thread_of(run);
    sample->born_us = chunk->time_us;
    sample->born_iteration = chunk->iteration;
    kp_site_add(sample->site, sample, chunk->rate);
    kp_site_touch(&run->ingest->dirty_sites, sample->site);
    count_in_thread(run);
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

static void free_sample(struct run *run, struct kp_live_sample *sample)
{
    struct kp_ingest *ingest = run->ingest;
    const struct kp_data_chunk *chunk = run->chunk;
    double bytes = (double)sample->size * sample->weight;

    kp_lifetimes_add(&sample->site->lifetimes, KP_AGE_TIME,
                     since(chunk->time_us, sample->born_us), bytes, sample->weight);
    if (chunk->iteration)
        kp_lifetimes_add(&sample->site->lifetimes, KP_AGE_ITERATION,
                         since(chunk->iteration, sample->born_iteration), bytes, sample->weight);
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

static void shrink_sample(struct run *run, struct kp_live_sample *sample, uint64_t size)
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

static struct kp_slot_queue *slot_at(const struct kp_recorded *process, uint64_t id)
{
    uint64_t slot = id >> KP_SAMPLE_SLOT_SHIFT;

    return slot < process->slot_count ? process->slots[slot] : NULL;
}

static uint64_t counter_of(uint64_t id)
{
    return id & ((1ULL << KP_SAMPLE_SLOT_SHIFT) - 1);
}

static bool is_to_come(const struct kp_recorded *process, uint64_t id)
{
    const struct kp_slot_queue *queue = slot_at(process, id);
    return !queue || counter_of(id) >= queue->next_sample;
}

/* NULL: there is none; then either the slot waits for it, or it will never come. */
static struct kp_live_sample *find_sample(struct run *run, uint64_t id)
{
    struct kp_live_sample *sample = kp_live_set_find(&run->process->live, id);

    if (sample)
        return sample;
    if (is_to_come(run->process, id) && run->queue->given_up != id) {
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

static void take_mark(struct run *run, const struct kp_rec_mark *record)
{
    struct kp_recorded *process = run->process;
    struct kp_mark_row mark = {kp_decode_id(record->type_iteration & ~KP_MARK_AT_BEGIN),
                               record->time_us, thread_of(run)};

    process->phases.is_begin_marked = record->type_iteration & KP_MARK_AT_BEGIN;
    kp_phases_mark(&process->phases, mark.iteration, mark.time_us);
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
                               record->malloc_held, record->object_held, record->object_blocks};
}

static void take_stamp(struct run *run, const struct kp_rec_stamp *record)
{
    flush_slice(run);
    run->chunk->time_us = record->time_us;
    run->chunk->iteration = kp_decode_id(record->type_iteration);
    if (record->time_us > run->process->last_us)
        run->process->last_us = record->time_us;
}

static void take_state(struct run *run, int type, union kp_record record)
{
    if (type == KP_REC_STAMP)
        take_stamp(run, record.stamp);
    else if (type == KP_REC_RATE)
        run->chunk->rate = record.rate->rate;
    else if (type == KP_REC_THREAD)
        run->chunk->thread = kp_process_thread(run->process, record.thread->tid,
                                               record.thread->name, &run->ingest->next_thread);
}

static void take(struct run *run, int type, union kp_record record)
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
    case KP_REC_MARK: take_mark(run, record.mark); break;
    case KP_REC_TOTALS: take_totals(run->process, record.totals); break;
    default: take_state(run, type, record); break;
    }
}

static void drop_buffer(struct kp_data_chunk *chunk)
{
    free(chunk->buffer);
    chunk->buffer = NULL;
}

/* The records [offset, limit) of a chunk, in its buffer while the slot waits in the middle. */
static int fill_buffer(struct run *run, struct kp_error *error)
{
    struct kp_data_chunk *chunk = run->chunk;
    struct kp_chunk_header like = {.kind = KP_CHUNK_DATA};

    if (chunk->buffer && chunk->buffer_to == chunk->limit)
        return 0;
    if (!chunk->buffer)
        chunk->buffer = kp_alloc(KP_CHUNK_BYTES);
    chunk->buffer_from = chunk->offset;
    chunk->buffer_to = chunk->limit;
    return kp_spool_read(run->ingest->spool, chunk->index, kp_decode_records_offset(&like),
                         chunk->offset, chunk->limit, chunk->buffer, error);
}

static enum run_end run_chunk(struct run *run, struct kp_error *error)
{
    struct kp_data_chunk *chunk = run->chunk;
    uint32_t began = chunk->offset;
    union kp_record record;
    int type = 0;

    if (chunk->offset >= chunk->limit)
        return RUN_READ;
    if (fill_buffer(run, error))
        return RUN_DAMAGED;
    struct kp_decode_records records = {chunk->buffer, chunk->buffer_to - chunk->buffer_from,
                                        chunk->offset - chunk->buffer_from, KP_CHUNK_DATA};
    run->queue->waits_for = 0;
    run->queue->is_old_wait = false;
    while (!run->queue->waits_for && (type = kp_decode_next(&records, &record)) > 0) {
        take(run, type, record);
        if (!run->queue->waits_for)
            chunk->offset = chunk->buffer_from + records.offset;
    }
    flush_slice(run);
    run->ingest->batch_bytes += chunk->offset - began;
    run->ingest->total_bytes += chunk->offset - began;
    run->ingest->is_changed |= chunk->offset != began;
    if (run->queue->waits_for)
        return RUN_WAITS;
    drop_buffer(chunk);
    if (type == 0)
        return RUN_READ;
    kp_error_set(error, "cannot read the spool %s: a record is damaged", run->ingest->spool->path);
    return RUN_DAMAGED;
}

/* Runs a slot until it waits or has nothing more. */
static int run_slot(struct kp_ingest *ingest, struct kp_recorded *process, uint32_t slot,
                    struct kp_error *error)
{
    struct kp_slot_queue *queue = process->slots[slot];
    struct run run = {ingest, process, queue, slot, NULL, {0}};

    for (struct kp_data_chunk *chunk = queue->current; chunk; chunk = chunk->next) {
        run.chunk = chunk;
        enum run_end end = run_chunk(&run, error);
        if (end != RUN_READ)
            return end == RUN_DAMAGED;
        if (chunk == queue->current && chunk->is_done && chunk->next)
            queue->current = chunk->next;
        if (ingest->batch_bytes >= ingest->batch_limit)
            return 0;
    }
    return 0;
}

/* Has it something that it could read now? */
static bool can_run(const struct kp_recorded *process, const struct kp_slot_queue *queue)
{
    if (queue->waits_for)
        return !is_to_come(process, queue->waits_for) || queue->given_up == queue->waits_for;
    for (const struct kp_data_chunk *chunk = queue->current; chunk; chunk = chunk->next)
        if (chunk->offset < chunk->limit)
            return true;
    return false;
}

static int run_all(struct kp_ingest *ingest, struct kp_recorded *process, struct kp_error *error)
{
    bool ran;

    do {
        ran = false;
        for (uint32_t slot = 0; slot < process->slot_count; slot++) {
            if (!process->slots[slot] || !can_run(process, process->slots[slot]))
                continue;
            if (run_slot(ingest, process, slot, error))
                return 1;
            ran = true;
            if (ingest->batch_bytes >= ingest->batch_limit) {
                ingest->has_more = true;
                return 0;
            }
        }
    } while (ran);
    return 0;
}

/* Whatever it waits for was published before this round's snapshot. */
static bool is_late(const struct kp_recorded *process, const struct kp_slot_queue *queue)
{
    return queue->is_old_wait || process->was_gone;
}

/* The counter after the last ALLOC that this round's snapshot has of a slot. */
static uint64_t end_of_snapshot(struct kp_ingest *ingest, const struct kp_slot_queue *queue)
{
    const struct kp_data_chunk *chunk = queue->last;
    struct kp_chunk_header like = {.kind = KP_CHUNK_DATA};
    uint64_t end = chunk ? chunk->first_sample + chunk->samples : 0;
    union kp_record record;
    int type = 0;

    if (chunk && chunk->offset < chunk->limit &&
        !kp_spool_read(ingest->spool, chunk->index, kp_decode_records_offset(&like), chunk->offset,
                       chunk->limit, ingest->buffer, NULL)) {
        struct kp_decode_records records = {ingest->buffer, chunk->limit - chunk->offset, 0,
                                            KP_CHUNK_DATA};
        while ((type = kp_decode_next(&records, &record)) > 0)
            end += type == KP_REC_ALLOC;
    }
    return end;
}

/* Every slot has stopped. Gives up what the snapshot does not have although it was published before
 * it. True if there was such a thing. */
static bool give_up(struct kp_ingest *ingest, struct kp_recorded *process)
{
    bool gave_up = false;

    for (uint32_t slot = 0; slot < process->slot_count; slot++) {
        struct kp_slot_queue *queue = process->slots[slot];

        if (!queue || !queue->waits_for || !is_late(process, queue))
            continue;
        const struct kp_slot_queue *other = slot_at(process, queue->waits_for);
        if (!other || counter_of(queue->waits_for) >= end_of_snapshot(ingest, other)) {
            queue->given_up = queue->waits_for;
            gave_up = true;
        }
    }
    return gave_up;
}

/* Only damage makes slots wait for each other. If all of them are late, the one that waits for the
 * farthest is the least credible. */
static bool break_circle(struct kp_recorded *process)
{
    struct kp_slot_queue *worst = NULL;
    uint64_t farthest = 0;

    for (uint32_t slot = 0; slot < process->slot_count; slot++) {
        struct kp_slot_queue *queue = process->slots[slot];

        if (!queue || !queue->waits_for)
            continue;
        if (!is_late(process, queue))
            return false;
        uint64_t distance =
            counter_of(queue->waits_for) - slot_at(process, queue->waits_for)->next_sample;
        if (!worst || distance > farthest) {
            worst = queue;
            farthest = distance;
        }
    }
    if (worst)
        worst->given_up = worst->waits_for;
    return worst != NULL;
}

static bool is_waiting(struct kp_recorded *process)
{
    bool waiting = false;

    for (uint32_t slot = 0; slot < process->slot_count; slot++)
        if (process->slots[slot] && process->slots[slot]->waits_for)
            process->slots[slot]->is_old_wait = waiting = true;
    return waiting;
}

int kp_ingest_data(struct kp_ingest *ingest, struct kp_recorded *process, struct kp_error *error)
{
    do {
        if (run_all(ingest, process, error))
            return 1;
        if (ingest->has_more)
            return 0;
    } while (give_up(ingest, process) || break_circle(process));
    process->is_drained = !is_waiting(process);
    return 0;
}

int kp_ingest_skip(struct kp_ingest *ingest, struct kp_recorded *process, uint32_t slot,
                   struct kp_data_chunk *chunk, uint32_t offset, struct kp_error *error)
{
    struct kp_chunk_header like = {.kind = KP_CHUNK_DATA};
    struct kp_decode_records records = {ingest->buffer, offset, 0, KP_CHUNK_DATA};
    struct run run = {ingest, process, kp_process_slot(process, slot), slot, chunk, {0}};
    union kp_record record;
    int type;

    if (kp_spool_read(ingest->spool, chunk->index, kp_decode_records_offset(&like), 0, offset,
                      ingest->buffer, error))
        return 1;
    while ((type = kp_decode_next(&records, &record)) > 0) {
        if (type == KP_REC_ALLOC)
            chunk->samples++;
        else if (type != KP_REC_FREE && type != KP_REC_RESIZE && type != KP_REC_MARK)
            take_state(&run, type, record);
    }
    if (type < 0 || records.offset != offset)
        return kp_error_set(error, "cannot read the spool %s: a chunk is not the one that was read "
                                   "before",
                            ingest->spool->path);
    if (chunk->first_sample + chunk->samples > run.queue->next_sample)
        run.queue->next_sample = chunk->first_sample + chunk->samples;
    chunk->offset = chunk->stored_offset = offset;
    return 0;
}
