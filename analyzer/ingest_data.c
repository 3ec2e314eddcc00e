/* SPDX-License-Identifier: MIT */
/*
 * Data of a process. Each writer slot is a queue of chunks that is read in order; slots run against
 * each other. A sample may be freed by another thread, whose FREE may be seen before the ALLOC: the
 * id names the slot and the counter of its ALLOC, so that we know whether that is still to come.
 * If it is, the slot waits and the others run on. As an ALLOC is published before its FREE can be,
 * waiting has no cycles, and the ALLOC is in the next round's snapshot at the latest: a FREE that
 * waits then for what the snapshot does not have is one that nobody can explain (its ALLOC was lost
 * to damage). It is dropped and counted. What the
 * records do is in ingest_record.c.
 */
#include "ingest_ahead.h"
#include "ingest_slot.h"

#include "alloc.h"

#include <stdlib.h>

enum run_end { RUN_READ, RUN_WAITS, RUN_DAMAGED };

static void drop_buffer(struct kp_data_chunk *chunk)
{
    free(chunk->buffer);
    chunk->buffer = NULL;
}

/* The records [offset, limit) of a chunk, in its buffer while the slot waits in the middle. */
static int fill_buffer(struct kp_slot_run *run, struct kp_error *error)
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

static bool is_stopped(const struct kp_slot_queue *queue)
{
    return queue->waits_for || queue->waits_until_us || queue->at_snapshot;
}

static enum run_end run_chunk(struct kp_slot_run *run, struct kp_error *error)
{
    struct kp_data_chunk *chunk = run->chunk;
    uint32_t began = chunk->offset;
    struct kp_ingest_ahead ahead;
    union kp_record record;
    int type = 0;

    if (chunk->offset >= chunk->limit)
        return RUN_READ;
    if (fill_buffer(run, error))
        return RUN_DAMAGED;
    struct kp_decode_records records = {chunk->buffer, chunk->buffer_to - chunk->buffer_from,
                                        chunk->offset - chunk->buffer_from, KP_CHUNK_DATA};
    run->queue->waits_for = run->queue->waits_until_us = run->queue->at_snapshot = 0;
    run->queue->is_old_wait = false;
    kp_ingest_ahead_begin(&ahead, run, &records);
    while (!is_stopped(run->queue) && (type = kp_decode_next(&records, &record)) > 0) {
        kp_ingest_ahead_step(&ahead, run);
        kp_slot_run_take(run, type, record);
        if (!is_stopped(run->queue))
            chunk->offset = chunk->buffer_from + records.offset;
    }
    kp_slot_run_flush_slice(run);
    run->ingest->batch_bytes += chunk->offset - began;
    run->ingest->total_bytes += chunk->offset - began;
    run->ingest->is_changed |= chunk->offset != began;
    if (is_stopped(run->queue))
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
    struct kp_slot_run run = {ingest, process, queue, slot, NULL, {0}};

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
    if (queue->at_snapshot)
        return queue->at_snapshot == process->snapshot_now;
    if (queue->waits_until_us)
        return queue->waits_until_us <= kp_snapshots_horizon(&process->snapshots);
    if (queue->waits_for)
        return !kp_slot_is_to_come(process, queue->waits_for) ||
               queue->given_up == queue->waits_for;
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
        const struct kp_slot_queue *other = kp_slot_of(process, queue->waits_for);
        if (!other || kp_slot_counter(queue->waits_for) >= end_of_snapshot(ingest, other)) {
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
            kp_slot_counter(queue->waits_for) - kp_slot_of(process, queue->waits_for)->next_sample;
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
        if (process->slots[slot] && is_stopped(process->slots[slot]))
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
    } while (kp_ingest_snapshot_is_next(process) || give_up(ingest, process) ||
             break_circle(process));
    process->is_drained = !is_waiting(process);
    return 0;
}

int kp_ingest_skip(struct kp_ingest *ingest, struct kp_recorded *process, uint32_t slot,
                   struct kp_data_chunk *chunk, uint32_t offset, struct kp_error *error)
{
    struct kp_chunk_header like = {.kind = KP_CHUNK_DATA};
    struct kp_decode_records records = {ingest->buffer, offset, 0, KP_CHUNK_DATA};
    struct kp_slot_run run = {ingest, process, kp_process_slot(process, slot), slot, chunk, {0}};
    union kp_record record;
    int type;

    if (kp_spool_read(ingest->spool, chunk->index, kp_decode_records_offset(&like), 0, offset,
                      ingest->buffer, error))
        return 1;
    while ((type = kp_decode_next(&records, &record)) > 0) {
        if (type == KP_REC_ALLOC)
            chunk->samples++;
        else if (type != KP_REC_FREE && type != KP_REC_RESIZE && type != KP_REC_MARK)
            kp_slot_run_take_state(&run, type, record);
    }
    if (type < 0 || records.offset != offset)
        return kp_error_set(error,
                            "cannot read the spool %s: a chunk is not the one that was read "
                            "before",
                            ingest->spool->path);
    if (chunk->first_sample + chunk->samples > run.queue->next_sample)
        run.queue->next_sample = chunk->first_sample + chunk->samples;
    chunk->offset = chunk->stored_offset = offset;
    return 0;
}
