/* SPDX-License-Identifier: MIT */
/*
 * The figures of the leak report for machines, and its rows of places for both. One thread.
 */
#include "format.h"
#include "leaks_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FITS 10
#define LITTLE_OF_ALL 0.005 /* of what is live: a cache below it is no news */
#define GIGABYTE 1e9

static const struct kp_column site_columns[] = {
    {"site", "#", KP_TYPE_NUMBER},
    {"rate", "rate/iter", KP_TYPE_BYTES_ESTIMATE},
    {"verdict", "verdict", KP_TYPE_TEXT},
    {"side", "side", KP_TYPE_TEXT},
    {"module", NULL, KP_TYPE_TEXT},
    {"kind", NULL, KP_TYPE_TEXT},
    {"onset", "since", KP_TYPE_COUNT},
    {"survivors", NULL, KP_TYPE_WHOLE},
    {"generations", NULL, KP_TYPE_WHOLE},
    {"live_bytes", NULL, KP_TYPE_BYTES},
    {"p", NULL, KP_TYPE_SHARE},
    {"next", NULL, KP_TYPE_TEXT},
    {"where", NULL, KP_TYPE_TEXT},
    {NULL, "where", KP_TYPE_TEXT},
    {"stack", NULL, KP_TYPE_STACK},
};
#define COLUMNS (sizeof site_columns / sizeof *site_columns)
#define RATE_COLUMN 1

/* What the evidence is, and what it lacks. */
static void explain_doubt(const struct kp_leaks *leaks, const struct kp_leak_site *site, char *note,
                          char *next, size_t bytes)
{
    const struct kp_cohort *cohort = &site->cohort;
    char samples[256], iterations[256];
    if (site->balanced) {
        snprintf(note, bytes, ": as much goes elsewhere");
        snprintf(next, bytes, "nothing: what is in use as a whole does not grow");
        return;
    }
    kp_format_plural(samples, (int64_t)cohort->survivors, "sample", "");
    kp_format_plural(iterations, (int64_t)cohort->generations,
                     leaks->has_marks ? "iteration" : "slice", "");
    if (cohort->shape == KP_COHORT_UNEVEN)
        snprintf(note, bytes, ": %.30s, in bursts", samples);
    else if (cohort->generations < KP_COHORT_GENERATIONS_MIN)
        snprintf(note, bytes, ": %.30s of %.30s", samples, iterations);
    else
        snprintf(note, bytes, ": %.30s, too little to tell from chance", samples);
    snprintf(next, bytes, "run for longer, or record with a smaller KPROF_RATE");
}

/* Why it is no leak, or not surely one; and what to do. */
static void explain(const struct kp_leaks *leaks, const struct kp_leak_site *site, char *note,
                    char *next, size_t bytes)
{
    char live[KP_FORMAT_BYTES], count[KP_FORMAT_BYTES];
    *note = '\0';
    kp_format_size(live, site->live_bytes);
    switch (site->verdict) {
    case KP_LEAK_SURE:
    case KP_LEAK_PROBABLE: snprintf(next, bytes, "look at who should free it: --site"); break;
    case KP_LEAK_CACHE:
        snprintf(note, bytes, ": %s, reclaimed after %s %ss", live,
                 kp_format_count(count, ceil(site->cohort.guard)), kp_leaks_unit(leaks));
        snprintf(next, bytes, "make the cache smaller if this is too much");
        break;
    case KP_LEAK_SLOWING:
        if (site->cohort.full_after > 0)
            snprintf(note, bytes, ": %s, full after about %s %ss", live,
                     kp_format_count(count, ceil(site->cohort.full_after)), kp_leaks_unit(leaks));
        else
            snprintf(note, bytes, ": %s", live);
        snprintf(next, bytes, "run for longer: does it stop?");
        break;
    case KP_LEAK_UNSURE: explain_doubt(leaks, site, note, next, bytes); break;
    case KP_LEAK_NONE: snprintf(next, bytes, "nothing"); break;
    }
}

static void emit_site(const struct kp_leaks_view *view, const struct kp_leak_site *site,
                      size_t number)
{
    struct kp_frame frames[KP_FRAMES_MAX];
    char where[512], shorter[256], note[128], next[128], text[680], brief[400];
    size_t count =
        kp_query_frames(view->context->query, site->stack_id, frames, KP_FRAMES_MAX);
    kp_leaks_where(view, site, where, sizeof where, shorter, sizeof shorter);
    explain(view->leaks, site, note, next, sizeof note);
    snprintf(text, sizeof text, "%s%s", where, note);
    snprintf(brief, sizeof brief, "%s%s", shorter, note);
    bool is_rate = site->verdict >= KP_LEAK_UNSURE || !kp_emitter_is_text(view->context->out);
    struct kp_value row[COLUMNS] = {
        kp_whole((int64_t)number),
        is_rate ? kp_estimated(site->cohort.rate) : kp_unknown(),
        kp_text(kp_leak_verdict_name(site->verdict)),
        kp_text(kp_leak_side_name(site->side)),
        *site->module ? kp_text(site->module) : kp_unknown(),
        kp_text(kp_kinds_name(site->kinds)),
        kp_amount(site->cohort.onset),
        kp_whole((int64_t)site->cohort.survivors),
        kp_whole((int64_t)site->cohort.generations),
        kp_amount(site->live_bytes),
        kp_amount(site->cohort.p),
        kp_text(next),
        kp_text(where),
        kp_texts(text, brief),
        kp_stack(frames, count),
    };
    kp_emit_row(view->context->out, row);
}

static bool is_news(const struct kp_leaks_view *view, const struct kp_leak_site *site, double all)
{
    if (site->verdict >= KP_LEAK_PROBABLE)
        return true;
    if (site->verdict == KP_LEAK_NONE || site->cohort.survivors == 0)
        return false;
    return !kp_emitter_is_text(view->context->out) || site->live_bytes >= LITTLE_OF_ALL * all;
}

void kp_leaks_table(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    struct kp_column columns[COLUMNS];
    size_t top = kp_report_top(view->context, FITS), shown = 0;
    double all = 0;
    for (size_t i = 0; i < leaks->site_count; i++)
        all += leaks->sites[i].live_bytes;
    memcpy(columns, site_columns, sizeof columns);
    if (!leaks->has_marks)
        columns[RATE_COLUMN].title = "rate/s";
    kp_emit_table(view->context->out, "sites", columns, COLUMNS);
    for (size_t i = 0; i < leaks->site_count && shown < top; i++) {
        if (!is_news(view, &leaks->sites[i], all))
            continue;
        emit_site(view, &leaks->sites[i], i + 1);
        shown++;
    }
    kp_emit_table_end(view->context->out);
}

static void emit_estimate(struct kp_emitter *out, const char *key, const struct kp_estimate *e)
{
    kp_emit_value(out, key, KP_TYPE_BYTES_ESTIMATE, kp_estimated(*e));
}

static void emit_slope(struct kp_emitter *out, const char *key, const struct kp_trend *trend)
{
    kp_emit_value(out, key, KP_TYPE_BYTES,
                  trend->is_known ? kp_amount(trend->rate.value) : kp_unknown());
}

static void emit_slopes(struct kp_emitter *out, const struct kp_leaks *leaks)
{
    static const char *const keys[] = {"rss", "live", "held", "other"};
    const struct kp_trend *trends[] = {&leaks->rss, &leaks->live, &leaks->held, &leaks->other};
    kp_emit_object(out, "slopes");
    for (int i = 0; i < 4; i++)
        emit_slope(out, keys[i], trends[i]);
    kp_emit_object_end(out);
    kp_emit_value(out, "slopes_since", KP_TYPE_COUNT,
                  leaks->rss.is_known ? kp_amount(leaks->rss.start) : kp_unknown());
    kp_emit_object(out, "slope_intervals");
    for (int i = 0; i < 4; i++)
        kp_emit_value(out, keys[i], KP_TYPE_BYTES_ESTIMATE,
                      trends[i]->is_known ? kp_estimated(trends[i]->rate) : kp_unknown());
    kp_emit_object_end(out);
}

/* Iterations until the rate has filled so many bytes; unknown at a rate that may be 0. */
static struct kp_value duration(double bytes, const struct kp_estimate *rate, double scale)
{
    if (!(rate->value > 0) || !(rate->low > 0) || !(scale > 0))
        return kp_unknown();
    return kp_estimated((struct kp_estimate){
        bytes / rate->value * scale, bytes / rate->high * scale, bytes / rate->low * scale});
}

static void emit_times(const struct kp_leaks_view *view)
{
    static const struct kp_column time_columns[] = {
        {"bytes", NULL, KP_TYPE_BYTES},
        {"iterations", NULL, KP_TYPE_COUNT_ESTIMATE},
        {"seconds", NULL, KP_TYPE_COUNT_ESTIMATE},
    };
    const struct kp_leaks *leaks = view->leaks;
    double targets[] = {GIGABYTE, view->limit_bytes};
    double per = leaks->per_second > 0 ? 1 / leaks->per_second : 0;
    kp_emit_table(view->context->out, "time_to", time_columns, 3);
    for (int i = 0; i < 2 && leaks->verdict >= KP_LEAK_PROBABLE; i++) {
        double left = fmax(targets[i] - (i ? leaks->rss_bytes : 0), 0);
        struct kp_value row[] = {kp_amount(targets[i]), duration(left, kp_leaks_pace(leaks), 1),
                                 duration(left, kp_leaks_pace(leaks), per)};
        kp_emit_row(view->context->out, row);
    }
    kp_emit_table_end(view->context->out);
}

static struct kp_value attributed(const struct kp_leaks *leaks)
{
    double all = leaks->rate.value;
    if (!(all > 0))
        return kp_unknown();
    return kp_estimated((struct kp_estimate){leaks->named.value / all, leaks->named.low / all,
                                             leaks->named.high / all});
}

static const char *cause_name(enum kp_leak_cause cause)
{
    static const char *const names[] = {"none", "live", "held by the allocator", "other mappings",
                                        "threads", "own allocator", "unknown"};
    return names[cause];
}

/* The module whose mappings grow most, and where most of them were made. */
static void emit_outside(const struct kp_leaks_view *view)
{
    const struct kp_leak_outside *outside = &view->leaks->outside;
    struct kp_emitter *out = view->context->out;
    char where[512] = "", shorter[256];
    if (*outside->module)
        kp_leaks_place(view, outside->stack_id, where, sizeof where, shorter, sizeof shorter);
    kp_emit_object(out, "outside");
    kp_emit_value(out, "module", KP_TYPE_TEXT,
                  *outside->module ? kp_text(outside->module) : kp_unknown());
    kp_emit_value(out, "allocator", KP_TYPE_TEXT,
                  *outside->allocator ? kp_text(outside->allocator) : kp_unknown());
    kp_emit_value(out, "share", KP_TYPE_SHARE,
                  outside->rss_bytes > 0 && *outside->module
                      ? kp_amount(fmin(fmax(outside->bytes / outside->rss_bytes, 0), 1))
                      : kp_unknown());
    kp_emit_value(out, "where", KP_TYPE_TEXT, *where ? kp_text(where) : kp_unknown());
    kp_emit_object_end(out);
}

static void emit_comparison(const struct kp_leaks_view *view)
{
    struct kp_emitter *out = view->context->out;
    if (!view->has_before)
        return;
    kp_emit_object(out, "baseline");
    kp_emit_value(out, "database", KP_TYPE_TEXT, kp_text(view->before));
    kp_emit_value(out, "program", KP_TYPE_TEXT, kp_text(view->program_before));
    if (view->unsure)
        kp_emit_value(out, "difference", KP_TYPE_BYTES, kp_unknown());
    else
        emit_estimate(out, "difference", &view->against.difference);
    kp_emit_value(out, "p", KP_TYPE_SHARE, view->unsure ? kp_unknown() : kp_amount(view->against.p));
    kp_emit_object_end(out);
}

void kp_leaks_values(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    struct kp_emitter *out = view->context->out;
    kp_emit_value(out, "process", KP_TYPE_WHOLE, kp_whole(leaks->pid));
    kp_emit_value(out, "other_processes", KP_TYPE_WHOLE, kp_whole(leaks->other_processes));
    kp_emit_value(out, "iterations", KP_TYPE_WHOLE, kp_whole(llround(leaks->iterations)));
    kp_emit_value(out, "iteration_source", KP_TYPE_TEXT,
                  kp_text(leaks->has_marks ? "marks" : "time slices"));
    kp_emit_value(out, "slice_s", KP_TYPE_SECONDS,
                  leaks->has_marks ? kp_unknown() : kp_amount(leaks->slice_s));
    kp_emit_value(out, "iterations_per_s", KP_TYPE_COUNT, kp_amount(leaks->per_second));
    kp_emit_value(out, "warmup_until", KP_TYPE_COUNT, kp_amount(leaks->onset));
    kp_emit_object(out, "total");
    emit_estimate(out, "rate", &leaks->rate);
    kp_emit_value(out, "verdict", KP_TYPE_TEXT, kp_text(kp_leak_verdict_name(leaks->verdict)));
    kp_emit_value(out, "grows", KP_TYPE_TEXT, kp_text(cause_name(leaks->cause)));
    kp_emit_value(out, "exact", KP_TYPE_BOOL, kp_whole(leaks->exact));
    kp_emit_object_end(out);
    emit_slopes(out, leaks);
    emit_outside(view);
    kp_emit_object(out, "threads");
    kp_emit_value(out, "first", KP_TYPE_WHOLE, kp_whole(leaks->threads_first));
    kp_emit_value(out, "last", KP_TYPE_WHOLE, kp_whole(leaks->threads_last));
    kp_emit_value(out, "stacks", KP_TYPE_WHOLE,
                  leaks->stacks > 0 ? kp_whole(leaks->stacks) : kp_unknown());
    kp_emit_value(out, "stack_bytes", KP_TYPE_BYTES,
                  leaks->stacks > 0 ? kp_amount(leaks->stack_bytes) : kp_unknown());
    kp_emit_object_end(out);
    kp_emit_value(out, "smallest_detectable", KP_TYPE_BYTES,
                  isfinite(leaks->detectable) ? kp_amount(leaks->detectable) : kp_unknown());
    kp_emit_value(out, "attributed", KP_TYPE_COUNT_ESTIMATE, attributed(leaks));
    kp_emit_value(out, "run_at_least", KP_TYPE_COUNT,
                  leaks->needed > 0 ? kp_amount(ceil(leaks->needed)) : kp_unknown());
    emit_times(view);
    emit_comparison(view);
}
