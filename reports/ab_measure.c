/* SPDX-License-Identifier: MIT */
/*
 * Times are those of iterations on the thread that marked them. A rest (--idle) is cut out of all
 * that is timed, and is where idle memory is read. Any thread.
 */
#include "ab_measure.h"

#include "alloc.h"
#include "bootstrap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SAMPLES_KEPT 500
#define JOBS_KEPT 10000
#define SLOPE_POINTS 8 /* fewer tell no slope */

struct rest {
    double from_s, to_s; /* since the start; 0: there was none */
};

static double seconds(const struct kp_ab_watch *watch, uint64_t ns)
{
    return ns > watch->started_ns ? (double)(ns - watch->started_ns) / 1e9 : 0;
}

static struct rest rest_of(const struct kp_ab_watch *watch, const struct kp_ab_ring *ring)
{
    uint64_t from = atomic_load(&ring->ring->rest_from_ns),
             to = atomic_load(&ring->ring->rest_to_ns);
    if (!from)
        return (struct rest){0, 0};
    return (struct rest){seconds(watch, from), to ? seconds(watch, to) : seconds(watch, watch->ended_ns)};
}

static double median_between(const struct kp_ab_watch *watch, double from_s, double to_s)
{
    double *values = kp_alloc((watch->count + 1) * sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < watch->count; i++)
        if (watch->samples[i].time_s >= from_s && watch->samples[i].time_s <= to_s)
            values[count++] = watch->samples[i].rss;
    double median = kp_quantile(values, count, 0.5);
    free(values);
    return median;
}

/* Of several processes the samples know the sum. */
static double peak_of(const struct kp_ab_watch *watch)
{
    double peak = watch->max_rss;
    for (size_t i = 0; i < watch->count; i++)
        peak = fmax(peak, watch->samples[i].rss);
    return peak > 0 ? peak : NAN;
}

static void measure_memory(const struct kp_ab_watch *watch, const struct rest *rest,
                           struct kp_ab_run *run)
{
    double end_s = seconds(watch, watch->ended_ns);
    /* What comes behind a rest is the program's end. */
    double active_s = rest->from_s > 0 ? rest->from_s : end_s;
    run->figures[KP_AB_PEAK_RSS] = peak_of(watch);
    run->figures[KP_AB_STEADY_RSS] = median_between(watch, 0.75 * active_s, active_s);
    if (isnan(run->figures[KP_AB_STEADY_RSS])) /* too short for samples */
        run->figures[KP_AB_STEADY_RSS] = run->figures[KP_AB_PEAK_RSS];
    if (rest->to_s > rest->from_s)
        run->figures[KP_AB_IDLE_RSS] =
            median_between(watch, rest->to_s - 0.1 * (rest->to_s - rest->from_s), rest->to_s);
}

static bool has_guess(const struct kp_ab_mark *mark)
{
    return (mark->flags & KP_MARK_GUESSED) && !mark->name;
}

/* Marks whose begin is known; all of them, where that is known of hardly any. */
static size_t durations_of(const struct kp_ab_ring *ring, double *out, double *first_s,
                           double *last_s, const struct kp_ab_watch *watch)
{
    size_t known = 0, count = 0;
    for (size_t i = 0; i < ring->count; i++)
        known += !has_guess(&ring->marks[i]);
    *first_s = INFINITY;
    *last_s = 0;
    for (size_t i = 0; i < ring->count; i++) {
        const struct kp_ab_mark *mark = &ring->marks[i];
        if (2 * known >= ring->count && has_guess(mark))
            continue;
        out[count++] = (double)(mark->end_ns - mark->begin_ns) / 1e9;
        *first_s = fmin(*first_s, seconds(watch, mark->begin_ns));
        *last_s = fmax(*last_s, seconds(watch, mark->end_ns));
    }
    return count;
}

static int compare_threads(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double count_workers(const struct kp_ab_ring *ring)
{
    uint64_t *threads = kp_alloc((ring->count + 1) * sizeof *threads);
    size_t different = 0;
    for (size_t i = 0; i < ring->count; i++)
        threads[i] = ring->marks[i].thread;
    qsort(threads, ring->count, sizeof *threads, compare_threads);
    for (size_t i = 0; i < ring->count; i++)
        different += i == 0 || threads[i] != threads[i - 1];
    free(threads);
    return (double)different;
}

static double count_failed(const struct kp_ab_ring *ring)
{
    double failed = 0;
    for (size_t i = 0; i < ring->count; i++)
        failed += ring->marks[i].flags & KP_MARK_FAILED ? (double)ring->step : 0;
    return failed;
}

static void measure_iterations(const struct kp_ab_watch *watch, const struct kp_ab_ring *ring,
                               struct kp_ab_run *run)
{
    double *durations = kp_alloc((ring->count + 1) * sizeof *durations), first_s, last_s, total = 0;
    double *figures = run->figures;
    size_t count = durations_of(ring, durations, &first_s, &last_s, watch);
    figures[KP_AB_ITERATIONS] = (double)kp_ab_ring_made(ring);
    if (count > 0) {
        figures[KP_AB_FAILED] = count_failed(ring);
        figures[KP_AB_TIME_P50] = kp_quantile(durations, count, 0.5);
        figures[KP_AB_TIME_P95] = kp_quantile(durations, count, 0.95);
        figures[KP_AB_TIME_P99] = kp_quantile(durations, count, 0.99);
        figures[KP_AB_JOB_LONGEST] = durations[count - 1];
        for (size_t i = 0; i < count; i++)
            total += durations[i];
        figures[KP_AB_JOB_TOTAL] = total * (double)ring->step;
        figures[KP_AB_WORKERS] = count_workers(ring);
    }
    if (last_s > first_s) { /* those that are known stand for all */
        figures[KP_AB_THROUGHPUT] = (double)count / (double)ring->count *
                                    figures[KP_AB_ITERATIONS] / (last_s - first_s);
        figures[KP_AB_TIME] = 1 / figures[KP_AB_THROUGHPUT];
    }
    free(durations);
}

static int compare_ends(const void *a, const void *b)
{
    const struct kp_ab_mark *x = a, *y = b;
    return (x->end_ns > y->end_ns) - (x->end_ns < y->end_ns);
}

/* The slope of RSS in the second half, per second and per iteration. */
static void measure_slopes(const struct kp_ab_watch *watch, struct kp_ab_ring *ring, double end_s,
                           struct kp_ab_run *run)
{
    double *times = kp_alloc((watch->count + 1) * sizeof *times);
    double *done = kp_alloc((watch->count + 1) * sizeof *done);
    double *rss = kp_alloc((watch->count + 1) * sizeof *rss);
    size_t count = 0, mark = 0;
    if (ring->count > 0)
        qsort(ring->marks, ring->count, sizeof *ring->marks, compare_ends);
    for (size_t i = 0; i < watch->count; i++) {
        double at = watch->samples[i].time_s;
        while (mark < ring->count && seconds(watch, ring->marks[mark].end_ns) <= at)
            mark++;
        if (at < end_s / 2 || at > end_s)
            continue;
        times[count] = at;
        done[count] = (double)(mark * ring->step);
        rss[count++] = watch->samples[i].rss;
    }
    if (count >= SLOPE_POINTS) {
        run->figures[KP_AB_RSS_SLOPE_S] = kp_line_fit(times, rss, count).slope;
        if (ring->count >= SLOPE_POINTS)
            run->figures[KP_AB_RSS_SLOPE] = kp_line_fit(done, rss, count).slope;
    }
    free(times);
    free(done);
    free(rss);
}

static void keep_samples(const struct kp_ab_watch *watch, struct kp_ab_run *run)
{
    size_t step = watch->count / SAMPLES_KEPT + 1;
    run->samples = kp_alloc((watch->count / step + 1) * sizeof *run->samples);
    for (size_t i = 0; i < watch->count; i += step)
        run->samples[run->sample_count++] = watch->samples[i];
}

static void keep_jobs(const struct kp_ab_watch *watch, const struct kp_ab_ring *ring,
                      struct kp_ab_run *run)
{
    run->jobs = kp_alloc(JOBS_KEPT * sizeof *run->jobs);
    for (size_t i = 0; i < ring->count && run->job_count < JOBS_KEPT; i++) {
        const struct kp_ab_mark *mark = &ring->marks[i];
        if (mark->name)
            run->jobs[run->job_count++] = (struct kp_ab_job){
                kp_copy_text(mark->name, strlen(mark->name)), seconds(watch, mark->begin_ns),
                (double)(mark->end_ns - mark->begin_ns) / 1e9,
                (mark->flags & KP_MARK_FAILED) != 0};
    }
}

static void set_outcome(const struct kp_ab_watch *watch, struct kp_ab_run *run)
{
    if (watch->timed_out)
        strcpy(run->outcome, "timeout");
    else if (WIFSIGNALED(watch->status))
        snprintf(run->outcome, sizeof run->outcome, "signal %d", WTERMSIG(watch->status));
    else if (WEXITSTATUS(watch->status) != 0)
        snprintf(run->outcome, sizeof run->outcome, "exit %d", WEXITSTATUS(watch->status));
    else
        strcpy(run->outcome, "ok");
    snprintf(run->said, sizeof run->said, "%s", kp_ab_run_is_good(run) ? "" : watch->said);
}

void kp_ab_measure(const struct kp_ab_watch *watch, struct kp_ab_ring *ring,
                   const struct kp_ab_tree *tree, struct kp_ab_run *run)
{
    struct rest rest = rest_of(watch, ring);
    double end_s = seconds(watch, watch->ended_ns);
    set_outcome(watch, run);
    run->figures[KP_AB_WALL] = end_s - (rest.to_s - rest.from_s);
    run->figures[KP_AB_CPU] = watch->cpu_s;
    run->figures[KP_AB_MINOR_FAULTS] = watch->minor_faults;
    run->figures[KP_AB_PROCESSES] = (double)tree->most;
    measure_memory(watch, &rest, run);
    measure_iterations(watch, ring, run);
    measure_slopes(watch, ring, rest.from_s > 0 ? rest.from_s : end_s, run);
    keep_samples(watch, run);
    keep_jobs(watch, ring, run);
}
