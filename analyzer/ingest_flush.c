/* SPDX-License-Identifier: MIT */
/*
 * One transaction with everything that has changed, and what follows from its success: things are
 * marked as stored, chunks go back to the writers, processes that are over are let go. After a
 * failure all is as before, so that the same flush can be tried again.
 */
#include "ingest.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

void (*kp_ingest_fault_hook)(const char *point);

void kp_ingest_fault(const char *point)
{
    if (kp_ingest_fault_hook)
        kp_ingest_fault_hook(point);
}

static void free_chunk(struct kp_ingest *ingest, uint32_t index)
{
    ingest->chunks[index] = (struct kp_chunk_ref){.is_known = !ingest->spool->writable};
    kp_spool_free_chunk(ingest->spool, index);
}

static void forget_cursor(struct kp_ingest *ingest, uint32_t seq)
{
    ingest->old_cursors = kp_array_grow(ingest->old_cursors, &ingest->old_cursor_capacity,
                                        ingest->old_cursor_count + 1, sizeof *ingest->old_cursors);
    ingest->old_cursors[ingest->old_cursor_count++] = seq;
}

/* Gives back the chunks of a slot that are read to their end. */
static void settle_slot(struct kp_ingest *ingest, struct kp_slot_queue *queue)
{
    struct kp_data_chunk **link = &queue->first, *chunk, *last = NULL;

    while ((chunk = *link)) {
        chunk->stored_offset = chunk->offset;
        if (!chunk->is_done || chunk->offset < chunk->limit) {
            last = chunk;
            link = &chunk->next;
            continue;
        }
        *link = chunk->next;
        if (queue->current == chunk)
            queue->current = chunk->next;
        forget_cursor(ingest, chunk->seq);
        free_chunk(ingest, chunk->index);
        free(chunk->buffer);
        free(chunk);
    }
    queue->last = last;
}

static void settle_process(struct kp_ingest *ingest, struct kp_recorded *process)
{
    process->stored = true;
    process->dirty = false;
    process->notes_stored = process->note_count;
    for (uint32_t i = 1; i <= process->thread_count; i++) {
        process->threads[i]->stored = true;
        process->threads[i]->dirty = false;
    }
    kp_live_set_settle(&process->live, ingest->next_sample - 1);
    kp_departed_settle(&process->departed);
    kp_slices_settle(&process->timeline);
    kp_memory_series_settle(&process->memory);
    kp_phases_settle(&process->phases);
    kp_snapshots_settle(&process->snapshots);
    kp_conversions_settle(&process->conversions);
    process->marks_stored += process->mark_count;
    process->mark_count = process->totals_count = 0;
    process->marks_thinned = false;
    for (uint32_t slot = 0; slot < process->slot_count; slot++)
        if (process->slots[slot])
            settle_slot(ingest, process->slots[slot]);
}

/* Its definitions go before the chunk that says that there is such a process. */
static void let_go(struct kp_ingest *ingest, struct kp_recorded *process)
{
    for (uint32_t slot = 0; slot < process->slot_count; slot++) {
        const struct kp_data_chunk *chunk =
            process->slots[slot] ? process->slots[slot]->first : NULL;

        for (; chunk; chunk = chunk->next)
            free_chunk(ingest, chunk->index);
    }
    for (uint32_t i = 0; i < process->conversions.block_count; i++)
        free_chunk(ingest, process->conversions.blocks[i]);
    for (uint32_t i = process->definition_count; i-- > 0;)
        if (process->definitions[i].index != process->chunk)
            free_chunk(ingest, process->definitions[i].index);
    if (ingest->spool->writable)
        atomic_fetch_add(&ingest->spool->header->ended_samples, kp_process_samples(process));
    free_chunk(ingest, process->chunk);
    kp_process_free(process);
}

static void settle_all(struct kp_ingest *ingest)
{
    uint32_t kept = 0;

    kp_stack_tree_settle(&ingest->tree);
    kp_dirty_sites_settle(&ingest->dirty_sites);
    kp_event_list_settle(&ingest->events);
    ingest->gone.count = ingest->shrunk.count = ingest->old_cursor_count = 0;
    for (uint32_t i = 0; i < ingest->process_count; i++) {
        struct kp_recorded *process = ingest->processes[i];

        settle_process(ingest, process);
        if (process->is_over)
            let_go(ingest, process);
        else
            ingest->processes[kept++] = process;
    }
    ingest->process_count = kept;
    ingest->is_changed = false;
    ingest->batch_bytes = 0;
}

int kp_ingest_flush(struct kp_ingest *ingest, struct kp_error *error)
{
    kp_store_begin(ingest->store);
    kp_ingest_write(ingest);
    kp_ingest_fault("before commit");
    int status = kp_store_commit(ingest->store, error);
    if (status != KP_STORE_OK)
        return status;
    kp_ingest_fault("after commit");
    settle_all(ingest);
    kp_ingest_fault("after free");
    return KP_STORE_OK;
}
