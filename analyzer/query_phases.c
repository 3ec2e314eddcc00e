/* SPDX-License-Identifier: MIT */
/*
 * Where the life of each process went: start-up, imports, the first iteration, the others; which
 * modules took the time of the imports; and how many iterations were marked. One thread.
 */
#include "query_db.h"

#include <stdlib.h>
#include <string.h>

struct part_list {
    struct kp_part_of_life *parts;
    size_t count;
};

static int add_part(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct part_list *list = to;
    struct kp_part_of_life *part = kp_append(&list->parts, &list->count, sizeof *part);
    if (!part)
        return -1;
    *part = (struct kp_part_of_life){.process_id = sqlite3_column_int64(st, 0),
                                     .pid = kp_column_whole(st, 1),
                                     .name = kp_column_name(query, st, 2),
                                     .seconds = kp_column_amount(st, 3),
                                     .allocated_bytes = kp_column_amount(st, 4),
                                     .allocated_count = kp_column_amount(st, 5)};
    return 0;
}

static int load_parts(struct kp_query *query, const char *sql, int64_t pid,
                      struct kp_part_of_life **parts, size_t *count, struct kp_error *error)
{
    struct part_list list = {0};
    int result = kp_query_rows(query, sql, pid, add_part, &list, error);
    *parts = list.parts;
    *count = list.count;
    return result;
}

static int add_iterations(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_phase_list *p = to;
    struct kp_iterations *added = kp_append(&p->iterations, &p->iteration_count, sizeof *added);
    (void)query;
    if (!added)
        return -1;
    *added = (struct kp_iterations){.process_id = sqlite3_column_int64(st, 0),
                                    .count = kp_column_whole(st, 1),
                                    .first_s = kp_column_amount(st, 2),
                                    .last_s = kp_column_amount(st, 3)};
    return 0;
}

int kp_query_phase_list(struct kp_query *query, const struct kp_filter *filter,
                        struct kp_phase_list *phases, struct kp_error *error)
{
    *phases = (struct kp_phase_list){0};
    int result = load_parts(query,
                            "SELECT p.id, p.pid, h.phase, h.seconds, h.allocated_bytes, "
                            "h.allocated_count FROM phase h JOIN process p ON p.id = h.process_id "
                            "WHERE ?1 = 0 OR p.pid = ?1 ORDER BY p.id, CASE h.phase "
                            "WHEN 'start-up' THEN 0 WHEN 'imports' THEN 1 WHEN 'cold' THEN 2 "
                            "WHEN 'warm' THEN 3 ELSE 4 END, h.phase",
                            filter->pid, &phases->phases, &phases->phase_count, error);
    if (result == 0)
        result = load_parts(query,
                            "SELECT p.id, p.pid, i.module, i.seconds, i.allocated_bytes, "
                            "i.allocated_count FROM import i JOIN process p ON p.id = i.process_id "
                            "WHERE ?1 = 0 OR p.pid = ?1 "
                            "ORDER BY p.id, i.seconds DESC, i.allocated_bytes DESC, i.module",
                            filter->pid, &phases->imports, &phases->import_count, error);
    if (result == 0)
        result = kp_query_rows(query,
                               "SELECT p.id, count(*), min(m.time_us) / 1e6, max(m.time_us) / 1e6 "
                               "FROM mark m JOIN process p ON p.id = m.process_id "
                               "WHERE ?1 = 0 OR p.pid = ?1 GROUP BY p.id ORDER BY p.id",
                               filter->pid, add_iterations, phases, error);
    return result;
}

void kp_phase_list_release(struct kp_phase_list *phases)
{
    free(phases->phases);
    free(phases->imports);
    free(phases->iterations);
    *phases = (struct kp_phase_list){0};
}
