/* SPDX-License-Identifier: MIT */
/*
 * What the allocators said at iteration marks, as three series whose slopes add up to that of RSS:
 *
 *   live    used by malloc, scaled to what was asked for; blocks of Python's own allocator (without
 *           the large ones, which are malloc's) times their mean size; mappings that are still
 *           there, from when they were made
 *   held    kept by the allocators beyond that
 *   other   the rest of RSS: mappings that no allocator has told of, stacks, files
 *
 * Without marks there is RSS alone, as read from outside. One thread.
 */
#include "query_db.h"
#include "query_leaks.h"

#include <math.h>
#include <stdlib.h>

struct reading {
    double at, rss, used, held, object_held, blocks;
    bool has_malloc, has_blocks;
};

struct series {
    struct kp_leaks *leaks;
    struct reading *readings;
    size_t count;
};

static int add_mark(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct series *s = to;
    struct reading *r = kp_append(&s->readings, &s->count, sizeof *r);
    (void)query;
    if (!r)
        return -1;
    *r = (struct reading){.at = kp_column_amount(st, 0),
                          .rss = kp_column_amount(st, 1),
                          .used = kp_column_amount(st, 2),
                          .held = kp_column_amount(st, 3),
                          .object_held = kp_column_amount(st, 4),
                          .blocks = kp_column_amount(st, 5),
                          .has_malloc = sqlite3_column_type(st, 2) != SQLITE_NULL,
                          .has_blocks = sqlite3_column_type(st, 5) != SQLITE_NULL};
    if (r->at < s->leaks->begin || r->at > s->leaks->end)
        s->count--;
    return 0;
}

static int add_memory(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct series *s = to;
    struct reading *r = kp_append(&s->readings, &s->count, sizeof *r);
    (void)query;
    if (!r)
        return -1;
    *r = (struct reading){.at = kp_column_amount(st, 0) / s->leaks->slice_s,
                          .rss = kp_column_amount(st, 1)};
    if (r->at < s->leaks->begin || r->at > s->leaks->end)
        s->count--;
    return 0;
}

static int take_threads(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_leaks *leaks = to;
    (void)query;
    leaks->threads_first = kp_column_whole(st, 0);
    leaks->threads_last = kp_column_whole(st, 1);
    return 0;
}

static int load(struct kp_query *query, struct series *s, struct kp_error *error)
{
    int64_t process = s->leaks->process_id;
    int result =
        s->leaks->has_marks
            ? kp_query_rows(query,
                            "SELECT iteration, rss, malloc_used, malloc_held, object_held, "
                            "object_blocks FROM mark WHERE process_id = ?1 AND rss IS NOT NULL "
                            "ORDER BY iteration",
                            process, add_mark, s, error)
            : kp_query_rows(query,
                            "SELECT m.time_s - p.started_s, m.rss FROM memory m JOIN process p "
                            "ON p.id = m.process_id WHERE m.process_id = ?1 ORDER BY m.time_s",
                            process, add_memory, s, error);
    if (result == 0)
        result = kp_query_rows(query,
                               "SELECT (SELECT threads FROM memory WHERE process_id = ?1 "
                               "ORDER BY time_s LIMIT 1), (SELECT threads FROM memory WHERE "
                               "process_id = ?1 ORDER BY time_s DESC LIMIT 1)",
                               process, take_threads, s->leaks, error);
    return result;
}

/* Readings without blocks (taken without the GIL) cannot be compared with those that have them. */
static void drop_partial(struct series *s)
{
    size_t with = 0, kept = 0;
    for (size_t i = 0; i < s->count; i++)
        with += s->readings[i].has_blocks;
    for (size_t i = 0; i < s->count; i++)
        if (2 * with < s->count || s->readings[i].has_blocks)
            s->readings[kept++] = s->readings[i];
    for (size_t i = 0; 2 * with < s->count && i < kept; i++)
        s->readings[i].blocks = 0;
    s->count = kept;
}

enum { RSS, LIVE, HELD, OTHER, SERIES };

static int compare_extras(const void *left, const void *right)
{
    double a = ((const struct kp_leak_extra *)left)->at;
    double b = ((const struct kp_leak_extra *)right)->at;
    return (a > b) - (a < b);
}

static void fill_points(const struct series *s, struct kp_reading_point *points[SERIES])
{
    const struct kp_leaks *leaks = s->leaks;
    double mapped = 0, large = 0;
    size_t next = 0;
    if (leaks->extra_count > 0)
        qsort(leaks->extras, leaks->extra_count, sizeof *leaks->extras, compare_extras);
    for (size_t i = 0; i < s->count; i++) {
        const struct reading *r = &s->readings[i];
        for (; next < leaks->extra_count && leaks->extras[next].at <= r->at; next++) {
            mapped += leaks->extras[next].bytes;
            large += leaks->extras[next].blocks;
        }
        double objects = r->blocks > 0 ? (r->blocks - large) * leaks->object_bytes : 0;
        double live = r->used * leaks->live_asked + objects + mapped;
        double held = r->held + r->object_held + mapped - live;
        double values[SERIES] = {r->rss, live, held, r->rss - live - held};
        for (int j = 0; j < SERIES; j++)
            points[j][i] = (struct kp_reading_point){r->at, values[j]};
    }
}

/* The window begins where the warm-up of what is live ends; the other series share it, so that
 * their slopes can be added. */
static void judge(const struct series *s, struct kp_reading_point *points[SERIES])
{
    struct kp_leaks *leaks = s->leaks;
    bool has_malloc = s->count > 0 && s->readings[s->count - 1].has_malloc;
    struct kp_trend_start found = kp_trend_find_start(points[has_malloc ? LIVE : RSS], s->count,
                                                      leaks->begin, leaks->end);
    double start = found.at;
    leaks->begins = found.begins;
    leaks->trend_onset = found.onset;
    leaks->rss = kp_trend_judge(points[RSS], s->count, start, leaks->end);
    leaks->onset = start;
    if (!has_malloc)
        return;
    leaks->live = kp_trend_judge(points[LIVE], s->count, start, leaks->end);
    leaks->held = kp_trend_judge(points[HELD], s->count, start, leaks->end);
    leaks->other = kp_trend_judge(points[OTHER], s->count, start, leaks->end);
}

int kp_leaks_load_series(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error)
{
    struct series s = {.leaks = leaks};
    struct kp_reading_point *points[SERIES] = {NULL};
    int result = load(query, &s, error);
    if (result == 0) {
        drop_partial(&s);
        for (int j = 0; result == 0 && j < SERIES; j++) {
            points[j] = calloc(s.count + 1, sizeof *points[j]);
            result = points[j] ? 0 : kp_query_no_memory(error);
        }
    }
    if (result == 0) {
        fill_points(&s, points);
        judge(&s, points);
        leaks->readings = (int64_t)s.count;
        leaks->rss_bytes = s.count > 0 ? s.readings[s.count - 1].rss : 0;
    }
    for (int j = 0; j < SERIES; j++)
        free(points[j]);
    free(s.readings);
    return result;
}
