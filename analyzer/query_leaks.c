/* SPDX-License-Identifier: MIT */
/*
 * Which process, which iterations, and then the parts in order. Without marks the life of the
 * process is cut into 200 slices of equal time, which stand for iterations; a short one into fewer.
 * As much time as start-up and imports took is left out at its beginning then: they grow as evenly as a
 * leak does. One thread.
 */
#include "query_leaks.h"
#include "query_db.h"

#include <math.h>
#include <stdlib.h>

#define SLICES 200
#define SLICE_LEAST_S 0.02

const char *kp_leak_verdict_name(enum kp_leak_verdict verdict)
{
    static const char *const names[] = {"no leak",             "bounded cache", "slowing",
                                        "not enough evidence", "probable leak", "leak"};
    return names[verdict];
}

const char *kp_leak_side_name(enum kp_leak_side side)
{
    static const char *const names[] = {"python", "bridge", "native"};
    return names[side];
}

struct choice {
    struct kp_leaks *leaks;
    double started_s, ended_s, first_s, last_s, start_up_s;
    int64_t first, last, with_marks;
};

static int take_process(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct choice *c = to;
    (void)query;
    c->with_marks += kp_column_whole(st, 4) >= KP_LEAK_MARKS_LEAST;
    if (c->leaks->process_id)
        return 0;
    c->leaks->process_id = sqlite3_column_int64(st, 0);
    c->leaks->pid = kp_column_whole(st, 1);
    c->started_s = kp_column_amount(st, 2);
    c->ended_s = kp_column_amount(st, 3);
    c->last = kp_column_whole(st, 4);
    c->first = kp_column_whole(st, 5);
    c->first_s = kp_column_amount(st, 6);
    c->last_s = kp_column_amount(st, 7);
    c->start_up_s = kp_column_amount(st, 8);
    return 0;
}

static int choose_process(struct kp_query *query, int64_t pid, struct choice *c,
                          struct kp_error *error)
{
    return kp_query_rows(
        query,
        "SELECT p.id, p.pid, p.started_s, coalesce(p.ended_s, (SELECT max(start_s + slice_s) "
        "FROM timeline t WHERE t.process_id = p.id), p.started_s), coalesce(m.last, 0), "
        "coalesce(m.first, 0), m.first_us / 1e6, m.last_us / 1e6, (SELECT sum(seconds) FROM "
        "phase h WHERE h.process_id = p.id AND h.phase IN ('start-up', 'imports')) "
        "FROM process p LEFT JOIN "
        "(SELECT process_id, max(iteration) AS last, min(iteration) AS first, "
        "min(time_us) AS first_us, max(time_us) AS last_us FROM mark GROUP BY process_id) m "
        "ON m.process_id = p.id WHERE ?1 = 0 OR p.pid = ?1 "
        "ORDER BY coalesce(m.last, 0) DESC, p.samples DESC, p.id",
        pid, take_process, c, error);
}

static int set_window(const struct choice *c, const struct kp_leak_request *request,
                      struct kp_leaks *leaks, struct kp_error *error)
{
    double unit = 1, first = 1;
    leaks->marks = c->last;
    leaks->has_marks = c->last >= KP_LEAK_MARKS_LEAST;
    leaks->other_processes = c->with_marks - leaks->has_marks;
    if (leaks->has_marks) {
        leaks->iterations = (double)c->last;
        if (c->last_s > c->first_s)
            leaks->per_second = (double)(c->last - c->first) / (c->last_s - c->first_s);
    } else {
        double life_s = fmax(c->ended_s - c->started_s, SLICE_LEAST_S);
        leaks->iterations = fmin(floor(life_s / SLICE_LEAST_S), SLICES);
        leaks->slice_s = unit = life_s / leaks->iterations;
        leaks->per_second = 1 / unit;
        leaks->start_up_s = fmin(c->start_up_s, life_s);
        first = leaks->start_up_s / unit;
    }
    leaks->begin = fmax(request->since / unit, first);
    leaks->end = leaks->iterations;
    if (request->until > 0)
        leaks->end = fmin(request->until / unit, leaks->end);
    if (leaks->end > leaks->begin || (request->since <= 0 && request->until <= 0))
        return 0;
    return -kp_error_set(error, "--since, --until: nothing is there between; the run has %.*f %s",
                         leaks->has_marks ? 0 : 3, leaks->iterations * unit,
                         leaks->has_marks ? "iterations" : "seconds");
}

static int add_rate(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_leaks *leaks = to;
    struct kp_rate_at *rate = kp_append(&leaks->rates, &leaks->rate_count, sizeof *rate);
    (void)query;
    if (!rate)
        return -1;
    *rate = (struct kp_rate_at){kp_column_amount(st, 0), kp_column_amount(st, 1)};
    if (!leaks->has_marks) { /* a slice of the timeline: its beginning, its two rates */
        rate->at /= leaks->slice_s;
        rate->rate = sqrt(rate->rate * kp_column_amount(st, 2));
    }
    if (!(rate->at >= leaks->begin && rate->at <= leaks->end && rate->rate > 0))
        leaks->rate_count--;
    return 0;
}

/* A leak is as even as time: what counts is how often it was looked at, on average over time. */
static int load_rates(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error)
{
    double inverse = 0;
    int result = kp_query_rows(query,
                               leaks->has_marks
                                   ? "SELECT iteration, rate FROM mark WHERE process_id = ?1 AND "
                                     "rate > 0 ORDER BY iteration"
                                   : "SELECT t.start_s - p.started_s, t.rate_min, t.rate_max FROM "
                                     "timeline t JOIN process p ON p.id = t.process_id WHERE "
                                     "t.process_id = ?1 AND t.samples > 0 ORDER BY t.start_s",
                               leaks->process_id, add_rate, leaks, error);
    for (size_t i = 0; i < leaks->rate_count; i++)
        inverse += 1 / leaks->rates[i].rate;
    leaks->gap = inverse > 0 ? kp_gap_bytes((double)leaks->rate_count / inverse) : 0;
    return result;
}

int kp_query_leaks(struct kp_query *query, const struct kp_leak_request *request,
                   struct kp_leaks *leaks, struct kp_error *error)
{
    *leaks = (struct kp_leaks){0};
    struct choice choice = {.leaks = leaks};
    int result = kp_query_load_stacks(query, error);
    if (result == 0)
        result = choose_process(query, request->pid, &choice, error);
    if (result == 0)
        result = set_window(&choice, request, leaks, error);
    if (result == 0)
        result = load_rates(query, leaks, error);
    if (result == 0)
        result = kp_leaks_load_sites(query, leaks, error);
    if (result == 0)
        result = kp_leaks_load_series(query, leaks, error);
    if (result == 0)
        result = kp_leaks_load_outside(query, leaks, error);
    if (result == 0)
        kp_leaks_decide(leaks);
    if (result == 0 && !leaks->has_marks)
        kp_leaks_to_seconds(leaks);
    if (result == 0 && request->group != KP_LEAK_BY_PLACE)
        result = kp_leaks_group(query, request->group, leaks, error);
    return result;
}

void kp_leaks_release(struct kp_leaks *leaks)
{
    free(leaks->sites);
    free(leaks->inputs);
    free(leaks->births);
    free(leaks->extras);
    free(leaks->rates);
    for (int i = 0; i < KP_LEAK_SERIES; i++)
        free(leaks->points[i]);
    *leaks = (struct kp_leaks){0};
}
