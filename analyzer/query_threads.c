/* SPDX-License-Identifier: MIT */
/*
 * Threads: of a process, and of a site. What is of the main thread is not counted for a site: it is
 * what the others leave. One thread.
 */
#include "query_db.h"

#include <stdlib.h>

#define CHOSEN                                                                                     \
    "s.stack_id = ?1 AND s.kind = ?2 "                                                             \
    "AND (?3 = 0 OR s.process_id IN (SELECT id FROM process WHERE pid = ?3))"

int kp_query_site_threads(struct kp_query *query, const struct kp_filter *filter,
                          const struct kp_site *site, struct kp_site_thread *threads, size_t max,
                          size_t *count, struct kp_error *error)
{
    *count = 0;
    sqlite3_stmt *st = kp_query_prepare(
        query,
        "SELECT name, sum(n), min(main) FROM (SELECT t.name AS name, t.samples AS n, 0 AS main "
        "FROM site s "
        "JOIN site_thread t ON t.site_id = s.id WHERE " CHOSEN " UNION ALL SELECT (SELECT t.name "
        "FROM thread t JOIN process p ON p.id = t.process_id AND t.tid = p.pid "
        "WHERE p.id = s.process_id), s.samples - ifnull((SELECT sum(t.samples) FROM site_thread t "
        "WHERE t.site_id = s.id), 0), 1 FROM site s WHERE " CHOSEN ") "
        "WHERE n > 0 AND name <> '' GROUP BY name ORDER BY 2 DESC, 1",
        error);
    int step = st ? 1 : -1;
    sqlite3_bind_int64(st, 1, site->stack_id);
    sqlite3_bind_text(st, 2, kp_kinds_name(site->kind), -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, filter->pid);
    while (step == 1 && *count < max && (step = kp_query_step(query, st, error)) == 1)
        threads[(*count)++] = (struct kp_site_thread){.name = kp_column_name(query, st, 0),
                                                      .samples = kp_column_whole(st, 1),
                                                      .is_main = sqlite3_column_int(st, 2) != 0};
    sqlite3_finalize(st);
    return step < 0 ? -1 : 0;
}

static int add_thread(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_threads *threads = to;
    struct kp_thread *thread = kp_append(&threads->items, &threads->count, sizeof *thread);
    if (!thread)
        return -1;
    *thread = (struct kp_thread){.process_id = sqlite3_column_int64(st, 0),
                                 .pid = kp_column_whole(st, 1),
                                 .tid = kp_column_whole(st, 2),
                                 .samples = kp_column_whole(st, 3),
                                 .name = kp_column_name(query, st, 4),
                                 .first_s = kp_column_amount(st, 5)};
    return 0;
}

int kp_query_threads(struct kp_query *query, const struct kp_filter *filter,
                     struct kp_threads *threads, struct kp_error *error)
{
    *threads = (struct kp_threads){0};
    return kp_query_rows(query,
                         "SELECT p.id, p.pid, t.tid, t.samples, t.name, t.first_s FROM thread t "
                         "JOIN process p ON p.id = t.process_id WHERE ?1 = 0 OR p.pid = ?1 "
                         "ORDER BY p.id, t.first_s, t.id",
                         filter->pid, add_thread, threads, error);
}

void kp_threads_release(struct kp_threads *threads)
{
    free(threads->items);
    *threads = (struct kp_threads){0};
}
