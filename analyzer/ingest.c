/* SPDX-License-Identifier: MIT */
/*
 * Life of an ingest and its rounds, see ingest.h. All definitions of a round are read before any
 * of its data, so that a damaged definition shows before anything is committed.
 */
#include "ingest.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int kp_ingest_open(struct kp_ingest *ingest, struct kp_spool *spool, struct kp_store *store,
                   struct kp_error *error)
{
    memset(ingest, 0, sizeof *ingest);
    ingest->spool = spool;
    ingest->store = store;
    ingest->events.is_wanted = spool->opened.keeps_all == 1;
    ingest->next_site = ingest->next_sample = ingest->next_thread = 1;
    ingest->chunks = kp_alloc(spool->opened.chunk_count * sizeof *ingest->chunks);
    ingest->buffer = kp_alloc(KP_CHUNK_BYTES);
    ingest->batch_limit = (uint64_t)spool->opened.chunk_count * KP_CHUNK_BYTES / 4;
    if (ingest->batch_limit > KP_BATCH_BYTES)
        ingest->batch_limit = KP_BATCH_BYTES;
    kp_import_contexts_init(&ingest->contexts, &ingest->tree);
    kp_watch_init(&ingest->watch, &spool->opened);
    if (!kp_ingest_load(ingest, error))
        return 0;
    kp_ingest_close(ingest);
    return 1;
}

void kp_ingest_close(struct kp_ingest *ingest)
{
    for (uint32_t i = 0; i < ingest->process_count; i++)
        kp_process_free(ingest->processes[i]);
    free(ingest->processes);
    free(ingest->chunks);
    free(ingest->buffer);
    free(ingest->new_chunks);
    free(ingest->dirty_sites.sites);
    free(ingest->gone.rows);
    free(ingest->shrunk.rows);
    kp_event_list_release(&ingest->events);
    free(ingest->old_cursors);
    free(ingest->loaded_cursors);
    kp_import_contexts_release(&ingest->contexts);
    kp_stack_tree_release(&ingest->tree);
    kp_watch_release(&ingest->watch);
    memset(ingest, 0, sizeof *ingest);
}

/* The process has told when its own code was through; when was it gone? The kernel may still be at
 * it, and closes the mapping just before there is a zombie. */
static void take_exit(struct kp_ingest *ingest, struct kp_recorded *process)
{
    const struct timespec pause = {.tv_nsec = 100000};
    uint64_t start_ns = ingest->watch.start_boottime_ns, ended_ns = process->info.ended_ns;
    bool is_leaving = true;

    if (!ingest->exits || ended_ns / 1000 >= KP_DECODE_TIME_US_MAX)
        return;
    uint64_t gone_ns = kp_exit_watch_take(ingest->exits, start_ns + ended_ns);
    while (!gone_ns && is_leaving &&
           kp_watch_now_us(&ingest->watch) < (ended_ns + KP_EXIT_NS_MAX) / 1000) {
        is_leaving = kp_watch_is_leaving(&process->watched);
        nanosleep(&pause, NULL);
        gone_ns = kp_exit_watch_take(ingest->exits, start_ns + ended_ns);
    }
    if (gone_ns)
        process->ended_us = (gone_ns - start_ns) / 1000;
}

/* It has ended and all that it published has been read. */
static void end_process(struct kp_ingest *ingest, struct kp_recorded *process)
{
    if (process->info.end == KP_END_EXIT && !process->end) {
        process->end = "exit";
        process->ended_us = process->info.ended_ns / 1000;
        take_exit(ingest, process);
    }
    if (!process->end)
        process->end = "killed or _exit";
    if (!process->ended_us || process->ended_us >= KP_DECODE_TIME_US_MAX)
        process->ended_us = process->last_us > process->info.joined_ns / 1000
                                ? process->last_us
                                : process->info.joined_ns / 1000;
    kp_ingest_phases_end(ingest, process);
    kp_site_table_recount(&process->sites, &process->live, &ingest->dirty_sites);
    process->is_over = process->dirty = true;
    ingest->is_changed = true;
}

/* Begins elsewhere each time, so that a busy process does not starve the others. */
static int read_data(struct kp_ingest *ingest, struct kp_error *error)
{
    uint32_t count = ingest->process_count, first = count ? ingest->next_process % count : 0;

    for (uint32_t n = 0; n < count && !ingest->has_more; n++) {
        struct kp_recorded *process = ingest->processes[(first + n) % count];

        ingest->next_process = (first + n) % count;
        if (process->is_over)
            continue;
        if (kp_ingest_data(ingest, process, error))
            return 1;
        if (process->was_gone && process->is_drained)
            end_process(ingest, process);
    }
    return 0;
}

int kp_ingest_round(struct kp_ingest *ingest, struct kp_error *error)
{
    ingest->has_more = false;
    for (uint32_t i = 0; i < ingest->process_count; i++) {
        ingest->processes[i]->was_gone = ingest->processes[i]->watched.dead;
        ingest->processes[i]->is_drained = false;
    }
    if (kp_spool_check_size(ingest->spool, error) || kp_ingest_scan_data(ingest, error) ||
        kp_ingest_scan_definitions(ingest, error) || kp_ingest_adopt_data(ingest, error))
        return 1;
    for (uint32_t i = 0; i < ingest->process_count; i++)
        if (!ingest->processes[i]->is_over &&
            (kp_ingest_definitions(ingest, ingest->processes[i], error) ||
             kp_ingest_counters(ingest, ingest->processes[i], error)))
            return 1;
    ingest->is_changed |= ingest->lost_processes != ingest->spool->header->lost_processes;
    return read_data(ingest, error);
}

bool kp_ingest_is_drained(const struct kp_ingest *ingest)
{
    return ingest->process_count == 0 && !ingest->is_changed;
}

uint64_t kp_ingest_unread_bytes(const struct kp_ingest *ingest)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < kp_spool_chunk_end(ingest->spool); i++)
        if (ingest->chunks[i].data)
            bytes += ingest->chunks[i].data->limit - ingest->chunks[i].data->offset;
    return bytes;
}
