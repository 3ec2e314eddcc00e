/* SPDX-License-Identifier: MIT */
/*
 * See query_replay.h. Memory is 40 bytes an event while it is being put in order, 24 after. Any
 * damage to the table ends in events that are left out, never in one that points nowhere.
 */
#include "query_replay.h"

#include "alloc.h"
#include "id_index.h"
#include "query_db.h"

#include <stdlib.h>
#include <string.h>

struct raw_event {
    uint64_t time_us, sample, size;
    uint32_t block; /* of a free not known before all are read */
    uint32_t thread;
    bool is_free;
};

struct loader {
    struct kp_query *query;
    struct kp_replay_record *record;
    struct raw_event *raw; /* by thread, each in its order */
    size_t raw_capacity, raw_count;
    int64_t *threads; /* rows, in the order of the query */
    size_t thread_capacity, thread_count;
    bool has_main; /* the first of them is the main thread */
    struct kp_index sites, blocks; /* of site rows, of samples */
    uint64_t *samples;             /* by block */
    uint16_t *block_sites;
    size_t sample_capacity, block_site_capacity, site_capacity;
};

static int choose_process(struct kp_query *query, int64_t pid, struct kp_replay_record *record,
                          struct kp_error *error)
{
    sqlite3_stmt *st = kp_query_prepare(
        query,
        "SELECT p.id, p.pid, p.fixed_rate, p.lost_samples + p.lost_frees + p.lost_nested, "
        "(SELECT count(*) FROM event e WHERE e.process_id = p.id) AS events FROM process p "
        "WHERE ?1 = 0 OR p.pid = ?1 ORDER BY events DESC LIMIT 1",
        error);
    int64_t rate = 0, events = 0;
    if (!st)
        return -1;
    sqlite3_bind_int64(st, 1, pid);
    int step = kp_query_step(query, st, error);
    if (step == 1) {
        record->process_id = sqlite3_column_int64(st, 0);
        record->pid = kp_column_whole(st, 1);
        rate = kp_column_whole(st, 2);
        record->lost = kp_column_whole(st, 3);
        events = kp_column_whole(st, 4);
    }
    sqlite3_finalize(st);
    if (step < 0)
        return -1;
    if (rate == 1 && events > 0)
        return 0;
    return -kp_error_set(error, "%.200s does not have each call that was made; record with: "
                                "kprof-run --rate 1 --keep all -- cmd", query->path);
}

/* Index of the site's row; KP_REPLAY_NO_SITE once there are too many. */
static uint32_t site_index(struct loader *load, int64_t row, int64_t stack)
{
    struct kp_replay_record *record = load->record;
    uint64_t hash = kp_hash2((uint64_t)row, 0);
    uint32_t at = (uint32_t)hash, id;
    while ((id = kp_index_find(&load->sites, hash, &at)))
        if (record->sites[id - 1].site_id == row)
            return id - 1;
    if (record->site_count >= KP_REPLAY_NO_SITE)
        return KP_REPLAY_NO_SITE;
    record->sites = kp_array_grow(record->sites, &load->site_capacity, record->site_count + 1,
                                  sizeof *record->sites);
    record->sites[record->site_count++] = (struct kp_replay_site){row, stack};
    kp_index_insert(&load->sites, hash, (uint32_t)record->site_count);
    return (uint32_t)record->site_count - 1;
}

static uint32_t thread_index(struct loader *load, int64_t row)
{
    if (load->thread_count == 0 || load->threads[load->thread_count - 1] != row) {
        load->threads = kp_array_grow(load->threads, &load->thread_capacity, load->thread_count + 1,
                                      sizeof *load->threads);
        load->threads[load->thread_count++] = row;
    }
    return (uint32_t)load->thread_count - 1;
}

static uint32_t add_block(struct loader *load, uint64_t sample, uint32_t site)
{
    uint32_t number = load->record->blocks++;
    load->samples = kp_array_grow(load->samples, &load->sample_capacity, number + 1u,
                                  sizeof *load->samples);
    load->block_sites = kp_array_grow(load->block_sites, &load->block_site_capacity, number + 1u,
                                      sizeof *load->block_sites);
    load->samples[number] = sample;
    load->block_sites[number] = (uint16_t)site;
    kp_index_insert(&load->blocks, kp_hash2(sample, 1), number + 1);
    return number;
}

/* Block of a sample + 1; 0: there is none. */
static uint32_t find_block(const struct loader *load, uint64_t sample)
{
    uint64_t hash = kp_hash2(sample, 1);
    uint32_t at = (uint32_t)hash, id;
    while ((id = kp_index_find(&load->blocks, hash, &at)))
        if (load->samples[id - 1] == sample)
            return id;
    return 0;
}

static void take_event(struct loader *load, sqlite3_stmt *st)
{
    struct raw_event event = {.time_us = (uint64_t)kp_column_whole(st, 1),
                              .sample = (uint64_t)sqlite3_column_int64(st, 2),
                              .size = (uint64_t)kp_column_whole(st, 4),
                              .is_free = sqlite3_column_type(st, 3) == SQLITE_NULL};
    if (load->thread_count == 0)
        load->has_main = sqlite3_column_int(st, 7) != 0;
    event.thread = thread_index(load, sqlite3_column_int64(st, 0));
    if (!event.is_free && !sqlite3_column_int(st, 6)) {
        load->record->other_kinds++;
        return;
    }
    if (!event.is_free)
        event.block = add_block(load, event.sample, site_index(load, sqlite3_column_int64(st, 3),
                                                               sqlite3_column_int64(st, 5)));
    load->raw =
        kp_array_grow(load->raw, &load->raw_capacity, load->raw_count + 1, sizeof *load->raw);
    load->raw[load->raw_count++] = event;
}

/* Frees of what malloc had no part in are left out. */
static void resolve_frees(struct loader *load)
{
    size_t kept = 0;
    for (size_t i = 0; i < load->raw_count; i++) {
        struct raw_event event = load->raw[i];
        uint32_t block = event.is_free ? find_block(load, event.sample) : 0;
        if (event.is_free && !block)
            continue;
        event.block = event.is_free ? block - 1 : event.block;
        load->raw[kept++] = event;
    }
    load->raw_count = kept;
}

/* Ordered by thread: the main thread first. */
static int read_events(struct loader *load, struct kp_error *error)
{
    sqlite3_stmt *st = kp_query_prepare(
        load->query,
        "SELECT e.thread_id, e.time_us, e.sample, e.site_id, e.size, s.stack_id, "
        "s.kind IN ('malloc', 'new'), t.tid = p.pid FROM event e JOIN thread t ON t.id = e.thread_id "
        "JOIN process p ON p.id = e.process_id LEFT JOIN site s ON s.id = e.site_id "
        "WHERE e.process_id = ?1 ORDER BY t.tid <> p.pid, e.thread_id, e.time_us, e.id",
        error);
    int step = st ? 1 : -1;
    sqlite3_bind_int64(st, 1, load->record->process_id);
    while (step == 1 && (step = kp_query_step(load->query, st, error)) == 1)
        take_event(load, st);
    sqlite3_finalize(st);
    return step < 0 ? -1 : 0;
}

/* What is left of each thread while the threads are merged. */
struct merge {
    size_t *next, *end; /* in raw, by thread */
    bool *born;         /* by block */
    uint32_t threads;
};

static void begin_merge(const struct loader *load, struct merge *merge)
{
    merge->threads = (uint32_t)load->thread_count;
    merge->next = kp_alloc((load->thread_count + 1) * sizeof *merge->next);
    merge->end = kp_alloc((load->thread_count + 1) * sizeof *merge->end);
    merge->born = kp_alloc(load->record->blocks + 1u);
    for (size_t i = load->raw_count; i-- > 0;)
        merge->next[load->raw[i].thread] = i;
    for (size_t i = 0; i < load->raw_count; i++)
        merge->end[load->raw[i].thread] = i + 1;
}

/* The thread whose next event is the earliest, one that waits for a block only if all do. */
static uint32_t choose_thread(const struct loader *load, const struct merge *merge, bool *waits)
{
    uint32_t best = UINT32_MAX;
    *waits = true;
    for (uint32_t t = 0; t < merge->threads; t++) {
        if (merge->next[t] >= merge->end[t])
            continue;
        const struct raw_event *event = &load->raw[merge->next[t]];
        bool its_waits = event->is_free && !merge->born[event->block];
        if (best != UINT32_MAX &&
            (its_waits > *waits || (its_waits == *waits &&
                                    event->time_us >= load->raw[merge->next[best]].time_us)))
            continue;
        best = t;
        *waits = its_waits;
    }
    return best;
}

/* What still waits when all do is damage, and is left out. */
static void merge_events(struct loader *load)
{
    struct kp_replay_record *record = load->record;
    struct merge merge;
    uint16_t *numbers = kp_alloc((load->thread_count + 1) * sizeof *numbers);
    bool waits;
    begin_merge(load, &merge);
    record->events = kp_alloc((load->raw_count + 1) * sizeof *record->events);
    record->threads = 1;
    for (uint32_t t; (t = choose_thread(load, &merge, &waits)) != UINT32_MAX;) {
        const struct raw_event *raw = &load->raw[merge.next[t]++];
        if (waits)
            continue;
        if ((t > 0 || !load->has_main) && !numbers[t] && record->threads < UINT16_MAX)
            numbers[t] = (uint16_t)record->threads++;
        merge.born[raw->block] = true;
        record->allocations += !raw->is_free;
        record->events[record->event_count++] =
            (struct kp_replay_event){.time_us = raw->time_us,
                                     .size = raw->is_free ? KP_REPLAY_FREE : raw->size,
                                     .block = raw->block,
                                     .thread = numbers[t],
                                     .site = load->block_sites[raw->block]};
    }
    free(numbers);
    free(merge.next);
    free(merge.end);
    free(merge.born);
}

int kp_query_replay(struct kp_query *query, int64_t pid, struct kp_replay_record *record,
                    struct kp_error *error)
{
    struct loader load = {.query = query, .record = record};
    *record = (struct kp_replay_record){0};
    int result = choose_process(query, pid, record, error);
    if (result == 0)
        result = read_events(&load, error);
    if (result == 0) {
        resolve_frees(&load);
        merge_events(&load);
    }
    if (result == 0 && record->event_count == 0)
        result = -kp_error_set(error, "process %lld asked nothing of malloc",
                               (long long)record->pid);
    free(load.raw);
    free(load.threads);
    free(load.samples);
    free(load.block_sites);
    kp_index_free(&load.sites);
    kp_index_free(&load.blocks);
    if (result != 0)
        kp_replay_record_release(record);
    return result;
}

void kp_replay_record_release(struct kp_replay_record *record)
{
    free(record->events);
    free(record->sites);
    *record = (struct kp_replay_record){0};
}
