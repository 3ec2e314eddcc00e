/* SPDX-License-Identifier: MIT */
/*
 * What is in the spool now. The order makes the snapshot consistent although everybody writes:
 *
 *   1. next_seq is read, then the directory. A chunk of a slot is claimed after the one before it
 *      was filled, so with "seq below what next_seq was" no chunk is taken without its
 *      predecessors.
 *   2. The length of every DATA chunk is taken.
 *   3. Then the same for PROCESS and DEFINITION chunks. A definition is published before the data
 *      that refers to it, so whatever the lengths of step 2 cover is defined by what is seen now.
 */
#include "ingest.h"

#include "alloc.h"

#include <string.h>

static int damaged(const struct kp_ingest *ingest, const char *why, struct kp_error *error)
{
    return kp_error_set(error, "cannot read the spool %s: %s", ingest->spool->path, why);
}

/* The header of a chunk that we do not know yet. 1: take it, 0: not now, -1: damaged. */
static int look(struct kp_ingest *ingest, uint32_t index, uint32_t seq_end,
                struct kp_chunk_header *header, struct kp_error *error)
{
    if (!kp_spool_chunk(ingest->spool, index, header)) {
        ingest->unannounced++;
        return 0;
    }
    const char *wrong = kp_decode_chunk(header);
    if (wrong) {
        damaged(ingest, wrong, error);
        return -1;
    }
    return header->seq < seq_end;
}

/* The state is read before the length: when it is DONE, the length is final. */
static void measure(struct kp_ingest *ingest, struct kp_data_chunk *data,
                    const struct kp_recorded *process, uint64_t word)
{
    data->is_done = KP_CHUNK_STATE(word) == KP_CHUNK_DONE || process->was_gone;
    data->limit = kp_spool_used(ingest->spool, data->index);
}

static int note_new_data(struct kp_ingest *ingest, uint32_t index, uint64_t word, uint32_t seq_end,
                         struct kp_error *error)
{
    struct kp_new_chunk found = {.index = index};
    int taken = look(ingest, index, seq_end, &found.header, error);

    if (taken <= 0 || found.header.kind != KP_CHUNK_DATA)
        return taken < 0;
    found.is_done = KP_CHUNK_STATE(word) == KP_CHUNK_DONE;
    found.limit = kp_spool_used(ingest->spool, index);
    ingest->new_chunks = kp_array_grow(ingest->new_chunks, &ingest->new_chunk_capacity,
                                       ingest->new_chunk_count + 1, sizeof *ingest->new_chunks);
    ingest->new_chunks[ingest->new_chunk_count++] = found;
    return 0;
}

int kp_ingest_scan_data(struct kp_ingest *ingest, struct kp_error *error)
{
    uint32_t seq_end = atomic_load(&ingest->spool->header->next_seq);
    uint32_t end = kp_spool_chunk_end(ingest->spool);

    ingest->new_chunk_count = 0;
    ingest->chunks_in_use = 0;
    for (uint32_t i = 0; i < end; i++) {
        uint64_t word = kp_spool_word(ingest->spool, i);
        struct kp_chunk_ref *ref = &ingest->chunks[i];

        if (KP_CHUNK_STATE(word) == KP_CHUNK_FREE)
            continue;
        ingest->chunks_in_use++;
        if (ref->data)
            measure(ingest, ref->data, ref->process, word);
        else if (!ref->is_known && note_new_data(ingest, i, word, seq_end, error))
            return 1;
    }
    return 0;
}

struct kp_recorded *kp_ingest_process(const struct kp_ingest *ingest, uint32_t number)
{
    uint32_t low = 0, high = ingest->process_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (ingest->processes[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ingest->process_count && ingest->processes[low]->number == number
               ? ingest->processes[low]
               : NULL;
}

static uint32_t insert_process(struct kp_ingest *ingest, struct kp_recorded *process)
{
    uint32_t at = ingest->process_count++;

    ingest->processes = kp_array_grow(ingest->processes, &ingest->process_capacity,
                                      ingest->process_count, sizeof *ingest->processes);
    for (; at && ingest->processes[at - 1]->number > process->number; at--)
        ingest->processes[at] = ingest->processes[at - 1];
    ingest->processes[at] = process;
    return at;
}

static bool is_ended_by(struct kp_recorded *before, const struct kp_recorded *after)
{
    if (after->info.origin != KP_ORIGIN_EXEC || before->watched.pid != after->watched.pid ||
        before->watched.pid_namespace != after->watched.pid_namespace)
        return false;
    if (!before->end) {
        before->end = "exec";
        before->ended_us = after->info.joined_ns / 1000;
        before->watched.dead = true;
    }
    return true;
}

/* The time before a program joined is the CPU time of its process, which has that of the program
 * before it too. */
static void take_off_before(struct kp_ingest *ingest, const struct kp_recorded *before,
                            struct kp_recorded *after)
{
    struct kp_process_info old, new;

    kp_spool_info(ingest->spool, before->chunk, &old);
    kp_spool_info(ingest->spool, after->chunk, &new);
    uint64_t own_ns = new.before_join_ns > old.cpu_ns ? new.before_join_ns - old.cpu_ns : 0;
    if (own_ns < after->info.before_join_ns)
        after->info.before_join_ns = own_ns;
}

/* A process that comes by exec ends what its pid was before. The two may be found in any order. */
static void find_exec(struct kp_ingest *ingest, uint32_t at)
{
    struct kp_recorded *process = ingest->processes[at];

    for (uint32_t i = at + 1; i < ingest->process_count; i++)
        if (is_ended_by(process, ingest->processes[i])) {
            take_off_before(ingest, process, ingest->processes[i]);
            break;
        }
    for (uint32_t i = at; process->info.origin == KP_ORIGIN_EXEC && i-- > 0;)
        if (is_ended_by(ingest->processes[i], process)) {
            take_off_before(ingest, ingest->processes[i], process);
            break;
        }
}

static int add_process(struct kp_ingest *ingest, uint32_t index,
                       const struct kp_chunk_header *header, struct kp_error *error)
{
    if (kp_ingest_process(ingest, header->process))
        return damaged(ingest, "two processes have the same number", error);
    struct kp_recorded *process = kp_process_new(header->process);
    process->chunk = index;
    kp_spool_info(ingest->spool, index, &process->info);
    if (process->info.joined_ns / 1000 >= KP_DECODE_TIME_US_MAX)
        process->info.joined_ns = 0;
    process->watched.pid = header->pid;
    process->watched.pid_namespace = process->info.pid_namespace;
    process->watched.joined_ns = process->info.joined_ns;
    process->departed.started_us = process->info.joined_ns / 1000;
    ingest->processes_seen++;
    ingest->is_changed = true;
    find_exec(ingest, insert_process(ingest, process));
    return 0;
}

static void add_definitions(struct kp_recorded *process, uint32_t index, uint32_t seq)
{
    uint32_t at = process->definition_count++;

    process->definitions = kp_array_grow(process->definitions, &process->definition_capacity,
                                         process->definition_count, sizeof *process->definitions);
    for (; at && process->definitions[at - 1].seq > seq; at--)
        process->definitions[at] = process->definitions[at - 1];
    process->definitions[at] = (struct kp_definition_chunk){.index = index, .seq = seq};
    if (process->definition_open > at)
        process->definition_open = at;
}

static int add_chunk(struct kp_ingest *ingest, uint32_t index,
                     const struct kp_chunk_header *header, struct kp_error *error)
{
    struct kp_chunk_ref *ref = &ingest->chunks[index];

    if (header->kind == KP_CHUNK_PROCESS && add_process(ingest, index, header, error))
        return 1;
    *ref = (struct kp_chunk_ref){.is_known = true, .seq = header->seq};
    ref->process = kp_ingest_process(ingest, header->process);
    if (ref->process && header->kind == KP_CHUNK_COUNTERS)
        kp_ingest_add_counters(ref->process, index);
    else if (ref->process)
        add_definitions(ref->process, index, header->seq);
    return 0;
}

/* A process's first chunk may stand behind its others in the directory: they wait for it. */
static int scan_kind(struct kp_ingest *ingest, bool first_chunks, uint32_t seq_end,
                     struct kp_error *error)
{
    uint32_t end = kp_spool_chunk_end(ingest->spool);

    for (uint32_t i = 0; i < end; i++) {
        struct kp_chunk_header header;

        if (ingest->chunks[i].is_known ||
            KP_CHUNK_STATE(kp_spool_word(ingest->spool, i)) == KP_CHUNK_FREE)
            continue;
        int taken = look(ingest, i, seq_end, &header, error);
        if (taken < 0)
            return 1;
        if (taken && header.kind != KP_CHUNK_DATA &&
            (header.kind == KP_CHUNK_PROCESS) == first_chunks &&
            add_chunk(ingest, i, &header, error))
            return 1;
    }
    return 0;
}

int kp_ingest_scan_definitions(struct kp_ingest *ingest, struct kp_error *error)
{
    uint32_t seq_end = atomic_load(&ingest->spool->header->next_seq);

    ingest->unannounced = 0;
    if (scan_kind(ingest, true, seq_end, error))
        return 1;
    ingest->unannounced = 0;
    return scan_kind(ingest, false, seq_end, error);
}

static uint32_t cursor_of(const struct kp_ingest *ingest, uint32_t seq)
{
    uint32_t low = 0, high = ingest->loaded_cursor_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (ingest->loaded_cursors[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ingest->loaded_cursor_count && ingest->loaded_cursors[low].seq == seq
               ? ingest->loaded_cursors[low].offset
               : 0;
}

static int adopt(struct kp_ingest *ingest, const struct kp_new_chunk *found,
                 struct kp_recorded *process, struct kp_error *error)
{
    struct kp_data_chunk *data = kp_alloc(sizeof *data);
    uint32_t read = cursor_of(ingest, found->header.seq);

    data->index = found->index;
    data->seq = found->header.seq;
    data->first_sample = found->header.first_sample;
    data->limit = found->limit;
    data->is_done = found->is_done || process->was_gone;
    data->rate = 1;
    data->time_us = process->info.joined_ns / 1000;
    kp_process_add_chunk(process, found->header.slot, data);
    ingest->chunks[found->index].data = data;
    struct kp_slot_queue *queue = kp_process_slot(process, found->header.slot);
    if (read && data->first_sample > queue->next_sample)
        queue->next_sample = data->first_sample;
    if (read > data->limit)
        return damaged(ingest, "a chunk is shorter than what was read of it before", error);
    return read ? kp_ingest_skip(ingest, process, found->header.slot, data, read, error) : 0;
}

int kp_ingest_adopt_data(struct kp_ingest *ingest, struct kp_error *error)
{
    for (size_t i = 0; i < ingest->new_chunk_count; i++) {
        const struct kp_new_chunk *found = &ingest->new_chunks[i];
        struct kp_recorded *process = kp_ingest_process(ingest, found->header.process);

        ingest->chunks[found->index] = (struct kp_chunk_ref){
            .is_known = true, .seq = found->header.seq, .process = process};
        if (process && adopt(ingest, found, process, error))
            return 1;
    }
    return 0;
}
