/* SPDX-License-Identifier: MIT */
/*
 * The processes of a recording, each with what its sites sum up to. One thread.
 */
#include "query_db.h"

#include <stdlib.h>

static const char *const process_sql =
    "SELECT id, pid, ppid, parent_id, origin, exe, argv, allocator, unwinder, end, started_s, "
    "ended_s, fixed_rate, budget, samples, lost_samples, lost_frees, lost_nested, "
    "lost_definitions, cut_frames, broken_stacks, rate_min, rate_max, sampling_s, cpu_s, "
    "peak_rss_bytes, CASE WHEN json_valid(argv) THEN (SELECT "
    "iif(before.value GLOB '-*[ce]' AND before.value NOT GLOB '--*' AND length(before.value) < 5, "
    "'-' || substr(before.value, -1) || ' ' || word.value, word.value) "
    "FROM json_each(argv) word JOIN json_each(argv) before "
    "ON before.key = word.key - 1 WHERE word.value NOT LIKE '-%' "
    "AND before.value NOT IN ('-X', '-W') ORDER BY word.key LIMIT 1) END, "
    "(SELECT build_id FROM module WHERE path = process.allocator AND build_id <> ''), "
    "python, directory, before_join_s, python_broken, python_cut_frames, "
    "CASE WHEN json_valid(argv) THEN json_type(argv) = 'array' AND NOT EXISTS "
    "(SELECT 1 FROM json_each(argv) WHERE type <> 'text') END, "
    "CASE WHEN json_valid(argv) THEN (SELECT group_concat(iif(value = '' OR "
    "value GLOB '*[^-A-Za-z0-9_@%+=:,./]*', '''' || replace(value, '''', '''\\''''') || '''', value), "
    "' ') FROM json_each(argv)) END FROM process "
    "WHERE ?1 = 0 OR pid = ?1 ORDER BY id";

static void read_process(struct kp_query *query, sqlite3_stmt *st, struct kp_process *p)
{
    *p = (struct kp_process){
        .id = sqlite3_column_int64(st, 0),
        .pid = kp_column_whole(st, 1),
        .ppid = kp_column_whole(st, 2),
        .parent_id = kp_column_whole(st, 3),
        .origin = kp_column_name(query, st, 4),
        .exe = kp_column_name(query, st, 5),
        .argv = kp_column_name(query, st, 6),
        .allocator = kp_column_name(query, st, 7),
        .unwinder = kp_column_name(query, st, 8),
        .end = kp_column_name(query, st, 9),
        .started_s = kp_column_amount(st, 10),
        .ended_s = sqlite3_column_type(st, 11) == SQLITE_NULL ? -1 : kp_column_amount(st, 11),
        .fixed_rate = kp_column_whole(st, 12),
        .budget = kp_column_amount(st, 13),
        .samples = kp_column_whole(st, 14),
        .lost_samples = kp_column_whole(st, 15),
        .lost_frees = kp_column_whole(st, 16),
        .lost_nested = kp_column_whole(st, 17),
        .lost_definitions = kp_column_whole(st, 18),
        .cut_frames = kp_column_whole(st, 19),
        .broken_stacks = kp_column_whole(st, 20),
        .rate_min = kp_column_whole(st, 21),
        .rate_max = kp_column_whole(st, 22),
        .sampling_s = kp_column_amount(st, 23),
        .cpu_s = kp_column_amount(st, 24),
        .peak_rss_bytes = kp_column_whole(st, 25),
        .script = kp_column_name(query, st, 26),
        .allocator_build_id = kp_column_name(query, st, 27),
        .python = kp_column_name(query, st, 28),
        .directory = kp_column_name(query, st, 29),
        .before_join_s = kp_column_amount(st, 30),
        .python_broken = kp_column_whole(st, 31),
        .python_cut_frames = kp_column_whole(st, 32),
        .has_argv = sqlite3_column_int(st, 33) != 0,
        .command = kp_column_name(query, st, 34),
    };
    double bytes = kp_gap_bytes((double)p->rate_max), blocks = kp_gap_blocks((double)p->rate_max);
    p->allocated.gap = p->live.gap = bytes;
    p->allocated_count.gap = p->live_count.gap = blocks;
    p->allocated.lost = p->live.lost = p->allocated_count.lost = p->live_count.lost =
        kp_lost_per_sample(p->samples, p->lost_samples);
}

static int add_process(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_processes *processes = to;
    struct kp_process *process = kp_append(&processes->items, &processes->count, sizeof *process);
    if (process)
        read_process(query, st, process);
    return process ? 0 : -1;
}

static int compare_ids(const void *id, const void *process)
{
    int64_t a = *(const int64_t *)id, b = ((const struct kp_process *)process)->id;
    return (a > b) - (a < b);
}

static void add_sum(struct kp_sum *sum, sqlite3_stmt *st, int column, int64_t samples)
{
    sum->samples += samples;
    sum->value += kp_column_amount(st, column);
    sum->variance += kp_column_amount(st, column + 1);
    double weight = kp_column_amount(st, column + 2);
    sum->weight_max = weight > sum->weight_max ? weight : sum->weight_max;
}

struct process_sums {
    struct kp_processes *processes;
    unsigned kinds;
};

static int add_sums(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    const struct process_sums *sums = to;
    int64_t id = sqlite3_column_int64(st, 0);
    const char *kind = (const char *)sqlite3_column_text(st, 1);
    struct kp_process *p = NULL;
    (void)query;
    if (sums->processes->count > 0 && kind && (kp_kinds_parse(kind) & sums->kinds))
        p = bsearch(&id, sums->processes->items, sums->processes->count, sizeof *p, compare_ids);
    if (!p)
        return 0;
    add_sum(&p->allocated, st, 4, kp_column_whole(st, 2));
    add_sum(&p->allocated_count, st, 7, kp_column_whole(st, 2));
    add_sum(&p->live, st, 10, kp_column_whole(st, 3));
    add_sum(&p->live_count, st, 13, kp_column_whole(st, 3));
    return 0;
}

static int load_sums(struct kp_query *query, const struct kp_filter *filter,
                     struct kp_processes *processes, struct kp_error *error)
{
    struct process_sums sums = {processes, filter->kinds};
    return kp_query_rows(
        query,
        "SELECT process_id, kind, samples, live_samples, allocated_bytes, allocated_bytes_var, "
        "allocated_bytes_max, allocated_count, allocated_count_var, allocated_count_max, "
        "live_bytes, live_bytes_var, live_bytes_max, live_count, live_count_var, live_count_max "
        "FROM site",
        0, add_sums, &sums, error);
}

int kp_query_processes(struct kp_query *query, const struct kp_filter *filter,
                       struct kp_processes *processes, struct kp_error *error)
{
    *processes = (struct kp_processes){0};
    int result = kp_query_rows(query, process_sql, filter->pid, add_process, processes, error);
    return result == 0 ? load_sums(query, filter, processes, error) : result;
}

void kp_processes_release(struct kp_processes *processes)
{
    free(processes->items);
    *processes = (struct kp_processes){0};
}
