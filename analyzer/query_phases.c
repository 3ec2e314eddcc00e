/* SPDX-License-Identifier: MIT */
/*
 * Where the life of each process went: start-up, imports, the first iteration, the others; which
 * modules took the time of the imports; and how many iterations were marked. One thread.
 */
#include "query_db.h"

#include <stdlib.h>
#include <string.h>

static int add_phase(struct kp_query *query, struct kp_phase_list *p, sqlite3_stmt *st)
{
    struct kp_phase_time *grown = kp_grow(p->phases, p->phase_count, sizeof *grown);
    if (!grown)
        return -1;
    p->phases = grown;
    grown[p->phase_count++] = (struct kp_phase_time){sqlite3_column_int64(st, 0),
                                                kp_column_whole(st, 1),
                                                kp_column_name(query, st, 2),
                                                kp_column_amount(st, 3),
                                                kp_column_amount(st, 4),
                                                kp_column_amount(st, 5)};
    return 0;
}

static int add_import(struct kp_query *query, struct kp_phase_list *p, sqlite3_stmt *st)
{
    struct kp_import_time *grown = kp_grow(p->imports, p->import_count, sizeof *grown);
    if (!grown)
        return -1;
    p->imports = grown;
    grown[p->import_count++] = (struct kp_import_time){sqlite3_column_int64(st, 0),
                                                  kp_column_whole(st, 1),
                                                  kp_column_name(query, st, 2),
                                                  kp_column_amount(st, 3),
                                                  kp_column_amount(st, 4),
                                                  kp_column_amount(st, 5)};
    return 0;
}

static int add_iterations(struct kp_query *query, struct kp_phase_list *p, sqlite3_stmt *st)
{
    (void)query;
    struct kp_iterations *grown = kp_grow(p->iterations, p->iteration_count, sizeof *grown);
    if (!grown)
        return -1;
    p->iterations = grown;
    grown[p->iteration_count++] = (struct kp_iterations){sqlite3_column_int64(st, 0),
                                                         kp_column_whole(st, 1),
                                                         kp_column_amount(st, 2),
                                                         kp_column_amount(st, 3)};
    return 0;
}

static int load(struct kp_query *query, const struct kp_filter *filter, const char *sql,
                int (*add)(struct kp_query *, struct kp_phase_list *, sqlite3_stmt *),
                struct kp_phase_list *phases, struct kp_error *error)
{
    sqlite3_stmt *st = kp_query_prepare(query, sql, error);
    int step = st ? 1 : -1;
    sqlite3_bind_int64(st, 1, filter->pid);
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1)
        if (add(query, phases, st) != 0)
            step = kp_query_no_memory(error);
    sqlite3_finalize(st);
    return step;
}

int kp_query_phase_list(struct kp_query *query, const struct kp_filter *filter,
                    struct kp_phase_list *phases, struct kp_error *error)
{
    *phases = (struct kp_phase_list){0};
    int result = load(query, filter,
                      "SELECT p.id, p.pid, h.phase, h.seconds, h.allocated_bytes, "
                      "h.allocated_count FROM phase h JOIN process p ON p.id = h.process_id "
                      "WHERE ?1 = 0 OR p.pid = ?1 ORDER BY p.id, CASE h.phase "
                      "WHEN 'start-up' THEN 0 WHEN 'imports' THEN 1 WHEN 'cold' THEN 2 "
                      "WHEN 'warm' THEN 3 ELSE 4 END, h.phase",
                      add_phase, phases, error);
    if (result == 0)
        result = load(query, filter,
                      "SELECT p.id, p.pid, i.module, i.seconds, i.allocated_bytes, "
                      "i.allocated_count FROM import i JOIN process p ON p.id = i.process_id "
                      "WHERE ?1 = 0 OR p.pid = ?1 "
                      "ORDER BY p.id, i.seconds DESC, i.allocated_bytes DESC, i.module",
                      add_import, phases, error);
    if (result == 0)
        result = load(query, filter,
                      "SELECT p.id, count(*), min(m.time_us) / 1e6, max(m.time_us) / 1e6 "
                      "FROM mark m JOIN process p ON p.id = m.process_id "
                      "WHERE ?1 = 0 OR p.pid = ?1 GROUP BY p.id ORDER BY p.id",
                      add_iterations, phases, error);
    return result;
}

void kp_phase_list_release(struct kp_phase_list *phases)
{
    free(phases->phases);
    free(phases->imports);
    free(phases->iterations);
    *phases = (struct kp_phase_list){0};
}
