/* SPDX-License-Identifier: MIT */
/*
 * Tables of one process, see process_table.h. Ids come from the file and are only believed as far
 * as they rise by plausible steps: memory stays proportional to the bytes read.
 */
#include "process_table.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

struct kp_recorded *kp_process_new(uint32_t number)
{
    struct kp_recorded *process = kp_alloc(sizeof *process);

    process->number = number;
    process->mark_step = 1;
    process->dirty = true;
    process->departed.may_have_rows = true; /* of a collector before us */
    return process;
}

static void free_slots(struct kp_recorded *process)
{
    for (uint32_t i = 0; i < process->slot_count; i++) {
        struct kp_data_chunk *chunk = process->slots[i] ? process->slots[i]->first : NULL;

        while (chunk) {
            struct kp_data_chunk *next = chunk->next;

            free(chunk->buffer);
            free(chunk);
            chunk = next;
        }
        free(process->slots[i]);
    }
    free(process->slots);
}

void kp_process_free(struct kp_recorded *process)
{
    kp_live_set_release(&process->live);
    kp_departed_release(&process->departed);
    kp_site_table_release(&process->sites);
    kp_slices_release(&process->timeline);
    kp_recorded_codes_release(&process->codes);
    kp_snapshots_release(&process->snapshots);
    kp_memory_series_release(&process->memory);
    kp_outside_release(&process->outside);
    kp_phases_release(&process->phases);
    kp_conversions_release(&process->conversions);
    free_slots(process);
    for (uint32_t i = 1; i <= process->thread_count; i++)
        free(process->threads[i]);
    for (uint32_t i = 0; i < process->node_page_count; i++)
        free(process->nodes[i]);
    for (uint32_t i = 0; i < process->note_count; i++)
        free(process->notes[i]);
    kp_index_free(&process->thread_index);
    free(process->threads);
    free(process->nodes);
    free(process->notes);
    free(process->modules);
    free(process->definitions);
    free(process->marks);
    free(process->totals);
    free(process->exe);
    free(process->argv);
    free(process->allocator);
    free(process->python);
    free(process->directory);
    free(process);
}

struct kp_node *kp_process_node(struct kp_recorded *process, uint32_t id)
{
    struct kp_node *node = kp_process_node_at(process, id);

    return node && node->is_known ? node : NULL;
}

struct kp_node *kp_process_node_new(struct kp_recorded *process, uint32_t id)
{
    uint32_t page = id / KP_NODE_PAGE;

    if (id <= process->last_node || id - process->last_node > KP_ID_STEP_MAX ||
        id >= KP_NODE_ID_MAX)
        return NULL;
    process->last_node = id;
    process->nodes = kp_array_grow(process->nodes, &process->node_capacity, (size_t)page + 1,
                                   sizeof *process->nodes);
    while (process->node_page_count <= page)
        process->nodes[process->node_page_count++] = NULL;
    if (!process->nodes[page])
        process->nodes[page] = kp_alloc(KP_NODE_PAGE * sizeof **process->nodes);
    struct kp_node *node = &process->nodes[page][id % KP_NODE_PAGE];
    node->is_known = true;
    return node;
}

const struct kp_module_ref *kp_process_module(const struct kp_recorded *process, uint32_t id)
{
    uint32_t low = 0, high = process->module_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (process->modules[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < process->module_count && process->modules[low].id == id ? &process->modules[low]
                                                                         : NULL;
}

struct kp_slot_queue *kp_process_slot(struct kp_recorded *process, uint32_t slot)
{
    process->slots = kp_array_grow(process->slots, &process->slot_capacity, (size_t)slot + 1,
                                   sizeof *process->slots);
    while (process->slot_count <= slot)
        process->slots[process->slot_count++] = NULL;
    if (!process->slots[slot])
        process->slots[slot] = kp_alloc(sizeof **process->slots);
    return process->slots[slot];
}

uint64_t kp_process_samples(const struct kp_recorded *process)
{
    uint64_t samples = 0;

    for (uint32_t i = 1; i <= process->thread_count; i++)
        samples += process->threads[i]->samples;
    return samples;
}

static struct kp_thread_row *find_thread(struct kp_recorded *process, uint32_t tid)
{
    uint64_t hash = kp_hash2(tid, 0);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&process->thread_index, hash, &at)))
        if (process->threads[id]->tid == tid)
            return process->threads[id];
    return NULL;
}

struct kp_thread_row *kp_process_thread(struct kp_recorded *process, uint32_t tid, const char *name,
                                        int64_t *next_row)
{
    struct kp_thread_row *thread = find_thread(process, tid);

    if (!thread && process->thread_count >= KP_THREADS_MAX) {
        tid = 0;
        name = "(others)";
        thread = find_thread(process, tid);
    }
    if (!thread) {
        uint32_t id = ++process->thread_count;

        process->threads = kp_array_grow(process->threads, &process->thread_capacity,
                                         (size_t)id + 1, sizeof *process->threads);
        thread = process->threads[id] = kp_alloc(sizeof *thread);
        thread->tid = tid;
        thread->row = (*next_row)++;
        kp_index_insert(&process->thread_index, kp_hash2(tid, 0), id);
    }
    if (strncmp(thread->name, name, sizeof thread->name - 1)) {
        memset(thread->name, 0, sizeof thread->name);
        memcpy(thread->name, name, strnlen(name, sizeof thread->name - 1));
        thread->dirty = true;
    }
    return thread;
}

void kp_process_add_chunk(struct kp_recorded *process, uint32_t slot, struct kp_data_chunk *chunk)
{
    struct kp_slot_queue *queue = kp_process_slot(process, slot);
    struct kp_data_chunk **link = &queue->first;

    if (queue->last && queue->last->seq <= chunk->seq)
        link = &queue->last->next;
    while (*link && (*link)->seq <= chunk->seq)
        link = &(*link)->next;
    chunk->next = *link;
    *link = chunk;
    if (!chunk->next)
        queue->last = chunk;
    if (!queue->current || queue->current->seq > chunk->seq)
        queue->current = chunk;
}
