/* SPDX-License-Identifier: MIT */
/*
 * What the allocators said at iteration marks, as three series whose slopes add up to that of RSS:
 *
 *   live    used by malloc and by Python's own allocator, scaled to what was asked for; mappings that
 *           are still there, from when they were made. Where Python's allocator counts its blocks
 *           only, these (without the large ones, which are malloc's) times their mean size
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
    double at, rss, used, held, object_held, object_used, blocks;
    bool has_malloc, has_objects, has_blocks;
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
                          .object_used = kp_column_amount(st, 5),
                          .blocks = kp_column_amount(st, 6),
                          .has_malloc = sqlite3_column_type(st, 2) != SQLITE_NULL,
                          .has_objects = sqlite3_column_type(st, 5) != SQLITE_NULL,
                          .has_blocks = sqlite3_column_type(st, 6) != SQLITE_NULL};
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

/* At the end they are those of the last mark: on its way out a process has ever fewer. */
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
                            "object_used, object_blocks FROM mark WHERE process_id = ?1 AND rss IS NOT NULL "
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
                               "process_id = ?1 AND time_s <= coalesce((SELECT max(time_us) / 1e6 "
                               "FROM mark WHERE process_id = ?1), 1e30) ORDER BY time_s DESC LIMIT 1)",
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

static int compare_extras(const void *left, const void *right)
{
    double a = ((const struct kp_leak_extra *)left)->at;
    double b = ((const struct kp_leak_extra *)right)->at;
    return (a > b) - (a < b);
}

static void fill_points(const struct series *s)
{
    struct kp_leaks *leaks = s->leaks;
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
        double live = r->used * leaks->asked[KP_LEAK_MALLOC] + mapped;
        if (r->has_objects)
            live += r->object_used * leaks->asked[KP_LEAK_OBJECTS];
        else if (r->blocks > 0)
            live += (r->blocks - large) * leaks->object_bytes;
        double held = r->held + r->object_held + mapped - live;
        double values[KP_LEAK_SERIES] = {r->rss, live, held, r->rss - live - held};
        for (int j = 0; j < KP_LEAK_SERIES; j++)
            leaks->points[j][i] = (struct kp_reading_point){r->at, values[j]};
    }
}

/* Of what is live, as a share: each allocator matters as far as it grows, from the middle third of
 * the readings to the last. */
static double live_error(const struct series *s)
{
    double grown[KP_LEAK_ALLOCATORS] = {0}, error = 0, all = 0;
    size_t third = s->count / 3;
    for (size_t i = third; i < 3 * third; i++) {
        double sign = i < 2 * third ? -1 : 1;
        grown[KP_LEAK_MALLOC] += sign * s->readings[i].used;
        grown[KP_LEAK_OBJECTS] += sign * s->readings[i].object_used;
    }
    for (int j = 0; j < KP_LEAK_ALLOCATORS; j++) {
        error = hypot(error, s->leaks->asked_error[j] * s->leaks->asked[j] * grown[j]);
        all += fabs(s->leaks->asked[j] * grown[j]);
    }
    return all > 0 ? error / all : 0;
}

/* The window begins where the warm-up of what is live ends; the other series share it, so that
 * their slopes can be added. */
void kp_leaks_judge_series(struct kp_leaks *leaks, double from)
{
    size_t count = (size_t)leaks->readings;
    int known = leaks->has_totals ? KP_LEAK_SERIES : KP_LEAK_RSS + 1;
    struct kp_trend *const trends[KP_LEAK_SERIES] = {&leaks->rss, &leaks->live, &leaks->held,
                                                     &leaks->other};
    leaks->start = kp_trend_find_start(leaks->points[leaks->has_totals ? KP_LEAK_LIVE : KP_LEAK_RSS],
                                       count, from, leaks->end);
    for (int j = 0; j < known; j++)
        *trends[j] = kp_trend_judge(leaks->points[j], count, leaks->start.at, leaks->end,
                                    j == KP_LEAK_LIVE ? leaks->live_error : 0);
}

int kp_leaks_load_series(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error)
{
    struct series s = {.leaks = leaks};
    int result = load(query, &s, error);
    drop_partial(&s);
    for (int j = 0; result == 0 && j < KP_LEAK_SERIES; j++) {
        leaks->points[j] = calloc(s.count + 1, sizeof *leaks->points[j]);
        result = leaks->points[j] ? 0 : kp_query_no_memory(error);
    }
    if (result == 0) {
        fill_points(&s);
        leaks->live_error = live_error(&s);
        leaks->readings = (int64_t)s.count;
        leaks->has_totals = s.count > 0 && s.readings[s.count - 1].has_malloc;
        leaks->rss_bytes = s.count > 0 ? s.readings[s.count - 1].rss : 0;
        kp_leaks_judge_series(leaks, leaks->begin);
    }
    free(s.readings);
    return result;
}
