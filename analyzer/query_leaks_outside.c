/* SPDX-License-Identifier: MIT */
/*
 * Growth that no allocator has told of: which module's mappings is it in? Snapshots of the heap
 * have what is resident of each sampled mapping; between the first one behind the warm-up and the
 * last one the growth is summed by the module that mapped. A module that brings its own allocator
 * maps ahead and cuts blocks that nobody sees: it can be named, its callers can't. The last one
 * has the stacks of threads, too. One thread.
 */
#include "own_allocator.h"
#include "query_db.h"
#include "query_leaks.h"
#include "query_stacks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SQL_BYTES 1200

struct mapper {
    const char *module;
    double bytes;          /* by which it grew */
    int64_t most_stack_id; /* that mapped most of it */
    double most_bytes;
};

struct mappers {
    struct kp_leaks *leaks;
    struct mapper *items;
    size_t count;
};

static int add_stack(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct mappers *all = to;
    int64_t stack_id = sqlite3_column_int64(st, 0);
    const char *module = kp_stacks_mapper(query->stacks, stack_id);
    double bytes = sqlite3_column_double(st, 1);
    struct mapper *mapper = NULL;

    all->leaks->outside.rss_bytes = sqlite3_column_double(st, 2);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].module == module)
            mapper = &all->items[i];
    if (!mapper) {
        mapper = kp_append(&all->items, &all->count, sizeof *mapper);
        if (!mapper)
            return -1;
        *mapper = (struct mapper){.module = module};
    }
    mapper->bytes += bytes;
    if (bytes > mapper->most_bytes) {
        mapper->most_bytes = bytes;
        mapper->most_stack_id = stack_id;
    }
    return 0;
}

/* Without marks the time of an iteration is known; with them it is looked up. */
static void write_moment(const struct kp_leaks *leaks, double iteration, char *out, size_t bytes)
{
    if (leaks->has_marks)
        snprintf(out, bytes,
                 "(SELECT min(time_us) / 1e6 FROM mark WHERE process_id = ?1 AND "
                 "iteration >= %.0f)",
                 floor(iteration));
    else
        snprintf(out, bytes, "(SELECT started_s + %.6f FROM process WHERE id = ?1)",
                 iteration * leaks->slice_s);
}

static void write_sql(const struct kp_leaks *leaks, char *sql)
{
    char from[200], to[200] = "1e30";
    write_moment(leaks, leaks->rss.start, from, sizeof from);
    if (leaks->end < leaks->iterations)
        write_moment(leaks, leaks->end, to, sizeof to);
    snprintf(sql, SQL_BYTES,
             "SELECT s.stack_id, sum(CASE WHEN m.number = last THEN m.rss ELSE -m.rss END), "
             "(SELECT rss FROM snapshot WHERE process_id = ?1 AND number = last) - "
             "(SELECT rss FROM snapshot WHERE process_id = ?1 AND number = first) "
             "FROM (SELECT min(number) AS first, max(number) AS last FROM snapshot WHERE "
             "process_id = ?1 AND time_s BETWEEN %s AND %s) "
             "JOIN mapping m ON m.process_id = ?1 AND m.number IN (first, last) "
             "JOIN site s ON s.id = m.site_id WHERE first < last AND m.kind = 'range' AND "
             "s.kind IN ('mmap', 'reserve') GROUP BY s.stack_id",
             from, to);
}

static int take_stacks(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_leaks *leaks = to;
    (void)query;
    leaks->stacks = kp_column_whole(st, 0);
    leaks->stack_bytes = kp_column_amount(st, 1);
    leaks->stacks_rss = kp_column_amount(st, 2);
    /* Mappings are read seldom, threads are counted more often: those that came meanwhile have
     * stacks, too. */
    if (leaks->stacks > 0 && leaks->stacks < leaks->threads_last) {
        leaks->stack_bytes *= (double)leaks->threads_last / (double)leaks->stacks;
        leaks->stacks = leaks->threads_last;
        leaks->stacks_rss = leaks->rss_bytes;
    }
    return 0;
}

/* At the last look at mappings, which may have been long before the end. */
static int load_stacks(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error)
{
    return kp_query_rows(query,
                         "SELECT count(*) FILTER (WHERE kind = 'stack'), sum(rss) FILTER (WHERE "
                         "kind = 'stack'), sum(rss) FROM mapping WHERE process_id = ?1 AND "
                         "kind <> 'range' AND number = (SELECT max(number) FROM mapping WHERE "
                         "process_id = ?1 AND kind <> 'range')",
                         leaks->process_id, take_stacks, leaks, error);
}

int kp_leaks_load_outside(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error)
{
    char sql[SQL_BYTES];
    struct mappers all = {.leaks = leaks};
    const struct mapper *most = NULL;
    write_sql(leaks, sql);
    int result = kp_query_rows(query, sql, leaks->process_id, add_stack, &all, error);
    if (result == 0)
        result = load_stacks(query, leaks, error);
    for (size_t i = 0; i < all.count; i++)
        if (all.items[i].bytes > (most ? most->bytes : 0))
            most = &all.items[i];
    leaks->outside.module = leaks->outside.allocator = "";
    if (most) {
        leaks->outside.module = most->module;
        leaks->outside.allocator = kp_own_allocator(most->module);
        leaks->outside.bytes = most->bytes;
        leaks->outside.stack_id = most->most_stack_id;
    }
    free(all.items);
    return result;
}
