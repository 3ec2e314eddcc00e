/* SPDX-License-Identifier: MIT */
/*
 * The sentences of the leak report. The first three answer whether it leaks, how much and where;
 * the last say how far to trust that and what to type next. One thread.
 */
#include "format.h"
#include "leaks_view.h"
#include "where.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 700

const char *kp_leaks_unit(const struct kp_leaks *leaks)
{
    return leaks->has_marks ? "iteration" : "second";
}

char *kp_leaks_rate(const struct kp_leaks *leaks, const struct kp_estimate *rate, char *out)
{
    char size[KP_FORMAT_BYTES], range[KP_FORMAT_BYTES];
    kp_format_size_range(range, rate);
    kp_format_size(size, rate->value);
    if (*range)
        snprintf(out, KP_LEAKS_RATE_BYTES, "%s per %s (95 %%: %.*s)", size, kp_leaks_unit(leaks),
                 (int)strlen(range) - 2, range + 1);
    else
        snprintf(out, KP_LEAKS_RATE_BYTES, "%s per %s", size, kp_leaks_unit(leaks));
    return out;
}

void kp_leaks_side(const struct kp_leak_site *site, char *out, size_t out_bytes)
{
    char module[256];
    kp_module_label(site->module, module, sizeof module);
    if (site->side == KP_SIDE_PYTHON)
        snprintf(out, out_bytes, "in Python");
    else if (site->side == KP_SIDE_BRIDGE)
        snprintf(out, out_bytes, "on the bridge%s%s", *module ? " of " : "", module);
    else
        snprintf(out, out_bytes, "in native code%s%s", *module ? " of " : "", module);
}

void kp_leaks_place(const struct kp_leaks_view *view, int64_t stack_id, char *out,
                    size_t out_bytes, char *shorter, size_t shorter_bytes)
{
    struct kp_frame frames[KP_FRAMES_MAX];
    struct kp_where where;
    size_t count = kp_query_frames(view->context->query, stack_id, frames, KP_FRAMES_MAX);
    kp_where_of(frames, count, &where);
    snprintf(out, out_bytes, "%s", where.text);
    snprintf(shorter, shorter_bytes, "%s", where.shorter);
}

void kp_leaks_where(const struct kp_leaks_view *view, const struct kp_leak_site *site, char *out,
                    size_t out_bytes, char *shorter, size_t shorter_bytes)
{
    if (view->group == KP_LEAK_BY_SIDE) {
        snprintf(out, out_bytes, "%s", kp_leak_side_name(site->side));
    } else if (view->group == KP_LEAK_BY_PLACE || !site->group) {
        kp_leaks_place(view, site->stack_id, out, out_bytes, shorter, shorter_bytes);
        return;
    } else {
        static const enum kp_group like[] = {KP_GROUP_STACK, KP_GROUP_LINE, KP_GROUP_FUNCTION,
                                             KP_GROUP_MODULE};
        kp_where_group(site->group, like[view->group], out, out_bytes);
    }
    snprintf(shorter, shorter_bytes, "%s", out);
}

static void unit_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    char width[KP_FORMAT_BYTES], start_up[KP_FORMAT_BYTES], marked[256] = "No iterations were";
    if (leaks->has_marks)
        return;
    if (leaks->marks > 0)
        snprintf(marked, sizeof marked, "Only %lld of at least %d iterations %s",
                 (long long)leaks->marks, KP_LEAK_MARKS_LEAST, leaks->marks == 1 ? "was" : "were");
    kp_emit_line(view->context->out, 2,
                 "%s marked: this is by slices of %s, after %s of start-up and imports. Mark them "
                 "with kprof.iteration(), or KPROF_ITERATION=module:function.",
                 marked, kp_format_seconds(width, leaks->slice_s),
                 kp_format_seconds(start_up, leaks->start_up_s));
}

static void process_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    if (leaks->other_processes > 0)
        kp_emit_line(view->context->out, 2,
                     "This is process %lld, which has the most iterations; %lld more %s some: "
                     "--process PID.",
                     (long long)leaks->pid, (long long)leaks->other_processes,
                     leaks->other_processes == 1 ? "has" : "have");
}

static void since_text(const struct kp_leaks *leaks, char *out)
{
    char number[KP_FORMAT_BYTES], of[KP_FORMAT_BYTES];
    if (leaks->has_marks)
        snprintf(out, TEXT_BYTES, "since iteration %s of %s",
                 kp_format_whole(number, llround(leaks->onset)),
                 kp_format_whole(of, llround(leaks->iterations)));
    else
        snprintf(out, TEXT_BYTES, "since second %.3g of %.3g", leaks->onset, leaks->iterations);
}

/* "93 % of it comes from ..., on the bridge.", "It is in Python." */
static void place_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    const struct kp_leak_site *site = &leaks->sites[0];
    char where[512], shorter[256], side[300], source[840], share[KP_FORMAT_BYTES];
    kp_leaks_where(view, site, where, sizeof where, shorter, sizeof shorter);
    kp_leaks_side(site, side, sizeof side);
    if (view->group == KP_LEAK_BY_SIDE)
        snprintf(source, sizeof source, "is %s", side);
    else
        snprintf(source, sizeof source, "comes from %s, %s", where, side);
    double part = leaks->rate.value > 0 ? site->cohort.rate.value / leaks->rate.value : 1;
    if (part > 0.995 || (part > 0.9 && leaks->exact)) /* samples are less exact than the whole */
        kp_emit_line(view->context->out, 2, "It %s.", source);
    else
        kp_emit_line(view->context->out, 2, "%s of it %s.", kp_format_share(share, fmin(part, 1)),
                     source);
}

const struct kp_estimate *kp_leaks_pace(const struct kp_leaks *leaks)
{
    bool is_more = leaks->rss.is_known && leaks->rss.rate.low > leaks->rate.high;
    return leaks->cause == KP_CAUSE_THREADS && is_more ? &leaks->rss.rate : &leaks->rate;
}

static void time_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    const struct kp_estimate *pace = kp_leaks_pace(leaks);
    char limit[KP_FORMAT_BYTES], time[KP_FORMAT_BYTES], count[KP_FORMAT_BYTES];
    double left = view->limit_bytes - leaks->rss_bytes;
    if (!(leaks->per_second > 0) || !(pace->value > 0) || !(view->limit_bytes > 0))
        return;
    kp_format_seconds(time, left / pace->value / leaks->per_second);
    kp_format_size(limit, view->limit_bytes);
    if (!(left > 0))
        kp_emit_line(view->context->out, 2, "The limit of %s is reached: RSS is %s at the end.", limit,
                     kp_format_size(count, leaks->rss_bytes));
    else if (leaks->has_marks)
        kp_emit_line(view->context->out, 2, "At %s iterations a second %s %s reached in %s.",
                     kp_format_count(count, leaks->per_second), limit,
                     pace == &leaks->rate ? "is" : "of RSS are", time);
    else
        kp_emit_line(view->context->out, 2, "At this pace %s is reached in %s.", limit, time);
}

static void threads_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    char first[256], last[KP_FORMAT_BYTES], size[KP_FORMAT_BYTES];
    if (leaks->cause != KP_CAUSE_THREADS)
        return;
    kp_format_plural(first, leaks->threads_first, "thread", "");
    if (leaks->stacks > 0)
        kp_emit_line(view->context->out, 2,
                     "It had %s at first, and at the last look %s stacks of threads, %s of what is "
                     "called other: they do not end, or nobody joins them.",
                     first, kp_format_whole(last, leaks->stacks),
                     kp_format_size(size, leaks->stack_bytes));
    else
        kp_emit_line(view->context->out, 2,
                     "It had %s at first and %s when last counted: their stacks are in what is "
                     "called other.",
                     first, kp_format_whole(last, leaks->threads_last));
}

static void leak_lines(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    char rate[KP_LEAKS_RATE_BYTES], since[TEXT_BYTES];
    since_text(leaks, since);
    kp_emit_line(view->context->out, 2, "%s: %s, linear %s.",
                 leaks->verdict == KP_LEAK_SURE ? "It leaks" : "It probably leaks",
                 kp_leaks_rate(leaks, &leaks->rate, rate), since);
    place_line(view);
    threads_line(view);
    time_line(view);
}

static void nothing_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    char least[KP_FORMAT_BYTES];
    if (isinf(leaks->detectable))
        kp_emit_line(view->context->out, 2, "Not enough evidence: %s.",
                     leaks->has_marks ? "these iterations are too few" : "the run was too short");
    else if (leaks->verdict == KP_LEAK_UNSURE)
        kp_emit_line(view->context->out, 2,
                     "Not enough evidence: places grow, but not evenly, and what is in use as a "
                     "whole was not read often enough.");
    else
        kp_emit_line(view->context->out, 2, "No leak found: this run would have shown one of %s per %s.",
                     kp_format_size(least, leaks->detectable), kp_leaks_unit(leaks));
}

static bool is_outside_named(const struct kp_leaks *leaks)
{
    return leaks->outside.bytes > KP_OUTSIDE_SHARE * leaks->outside.rss_bytes;
}

static const char *cause_text(const struct kp_leaks *leaks)
{
    switch (leaks->cause) {
    case KP_CAUSE_LIVE:
        return leaks->verdict == KP_LEAK_SLOWING
                   ? "No leak so far: memory in use grows by %s, but ever more slowly, as a cache "
                     "or a warm-up does."
                   : "Not enough evidence: memory in use grows by %s, and no place shows even "
                     "growth with enough samples to be named.";
    case KP_CAUSE_HELD:
        return "No leak: what grows is free memory that the allocator keeps, by %s.";
    case KP_CAUSE_THREADS:
        return "The heap does not grow, but mappings outside of it do, by %s: stacks of threads.";
    case KP_CAUSE_OTHER:
        return is_outside_named(leaks)
                   ? "The heap does not grow, but mappings outside of it do, by %s."
                   : "The heap does not grow, but mappings outside of it do, by %s: an allocator "
                     "of an extension's own, or files.";
    case KP_CAUSE_OWN:
        return "What grows is mapped by an allocator of an extension's own, by %s.";
    default:
        return "Not known: RSS grows by %s, and the allocator has not said how much of that is in "
               "use.";
    }
}

static const struct kp_trend *trend_of_cause(const struct kp_leaks *leaks)
{
    switch (leaks->cause) {
    case KP_CAUSE_LIVE: return &leaks->live;
    case KP_CAUSE_HELD: return leaks->held.is_known ? &leaks->held : &leaks->rss;
    case KP_CAUSE_THREADS:
    case KP_CAUSE_OTHER: return &leaks->other;
    case KP_CAUSE_OWN: return leaks->other.grows ? &leaks->other : &leaks->rss;
    default: return &leaks->rss;
    }
}

/* "98 % of it is libpolars.so's, with its own jemalloc; mapped at ..." */
static void outside_line(const struct kp_leaks_view *view)
{
    const struct kp_leak_outside *outside = &view->leaks->outside;
    char module[256], where[512], shorter[256], share[KP_FORMAT_BYTES];
    if (!is_outside_named(view->leaks))
        return;
    kp_leaks_place(view, outside->stack_id, where, sizeof where, shorter, sizeof shorter);
    kp_module_label(outside->module, module, sizeof module);
    kp_format_share(share, fmin(outside->bytes / outside->rss_bytes, 1));
    if (*outside->allocator)
        kp_emit_line(view->context->out, 2,
                     "%s of it is in %s, which has %s built in: its blocks are not seen. Mapped at "
                     "%s.",
                     share, module, outside->allocator, where);
    else
        kp_emit_line(view->context->out, 2, "%s of it is mapped by %s, at %s.", share, module,
                     where);
}

static void cause_lines(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    char rate[KP_LEAKS_RATE_BYTES], text[TEXT_BYTES];
    if (leaks->cause == KP_CAUSE_NONE) {
        nothing_line(view);
        return;
    }
    kp_leaks_rate(leaks, &trend_of_cause(leaks)->rate, rate);
    const char *format = cause_text(leaks), *gap = strstr(format, "%s");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(gap - format), format, rate, gap + 2);
    kp_emit_line(view->context->out, 2, "%s", text);
    if (leaks->cause == KP_CAUSE_OWN || leaks->cause == KP_CAUSE_OTHER)
        outside_line(view);
    threads_line(view);
}

/* " + 1.22 KB", " - 3 B" */
static char *term(char *out, double bytes)
{
    char size[KP_FORMAT_BYTES];
    snprintf(out, KP_FORMAT_BYTES, " %c %.60s", bytes <= -0.5 ? '-' : '+',
             kp_format_size(size, fabs(bytes)));
    return out;
}

static void slopes_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    double live = leaks->live.rate.value;
    char rss[KP_FORMAT_BYTES], first[KP_FORMAT_BYTES], held[KP_FORMAT_BYTES],
        other[KP_FORMAT_BYTES];
    if (!leaks->rss.is_known)
        return;
    bool fell = leaks->rss.rate.value <= -0.5;
    kp_emit_line(view->context->out, 0, "%s", "");
    kp_format_size(rss, fabs(leaks->rss.rate.value));
    if (!leaks->live.is_known)
        kp_emit_line(view->context->out, 2, "RSS %s %s per %s", fell ? "fell" : "grew", rss,
                     kp_leaks_unit(leaks));
    else
        kp_emit_line(view->context->out, 2,
                     "RSS %s %s per iteration%s %s%s live%s held by the allocator%s other",
                     fell ? "fell" : "grew", rss, fell ? ":" : " =", live <= -0.5 ? "-" : "",
                     kp_format_size(first, fabs(live)),
                     term(held, leaks->held.rate.value),
                     term(other, leaks->rss.rate.value - live - leaks->held.rate.value));
}

void kp_leaks_headline(const struct kp_leaks_view *view)
{
    if (view->leaks->verdict >= KP_LEAK_PROBABLE)
        leak_lines(view);
    else
        cause_lines(view);
    kp_leaks_baseline_line(view);
    unit_line(view);
    process_line(view);
    slopes_line(view);
    kp_emit_line(view->context->out, 0, "%s", "");
}

static void needed_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    char size[KP_FORMAT_BYTES], count[KP_FORMAT_BYTES];
    kp_emit_line(view->context->out, 0, "%s", "");
    if (isfinite(leaks->detectable))
        kp_emit_line(view->context->out, 2,
                     "smallest leak that this run could have named: %s per %s",
                     kp_format_size(size, leaks->detectable), kp_leaks_unit(leaks));
    if (leaks->needed > 0 && leaks->has_marks)
        kp_emit_line(view->context->out, 2,
                     "to be sure of the rest: run at least %s iterations, or record with a "
                     "smaller KPROF_RATE",
                     kp_format_count(count, ceil(leaks->needed / 100) * 100));
    else if (leaks->needed > 0)
        kp_emit_line(view->context->out, 2, "to be sure of the rest: run for at least %s",
                     kp_format_seconds(count, ceil(leaks->needed)));
}

/* A leak that began in the second half looks like a burst; from the middle on it does not. */
static void late_line(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    bool is_late = false;
    for (size_t i = 0; i < leaks->site_count; i++) {
        const struct kp_leak_site *site = &leaks->sites[i];
        is_late |= site->verdict == KP_LEAK_UNSURE && site->cohort.shape == KP_COHORT_UNEVEN &&
                   !site->balanced && site->cohort.rate.value > leaks->detectable;
    }
    if (is_late && leaks->has_marks && leaks->verdict < KP_LEAK_PROBABLE)
        kp_emit_line(view->context->out, 2,
                     "what comes in bursts may be a leak that began late: look at the end alone with "
                     "--since %.0f",
                     ceil((leaks->begin + leaks->end) / 2));
}

void kp_leaks_footer(const struct kp_leaks_view *view)
{
    const struct kp_leaks *leaks = view->leaks;
    struct kp_report_context *context = view->context;
    needed_line(view);
    late_line(view);
    if (leaks->verdict >= KP_LEAK_PROBABLE) {
        kp_report_next(context, "leaks --site 1", "the whole stack and when it was born");
    } else if (leaks->cause == KP_CAUSE_HELD) {
        kp_emit_line(context->out, 0, "%s", "");
        kp_emit_line(context->out, 6, "next: kprof-ab -- %s   which allocator keeps less",
                     kp_process_command(kp_process_of(&context->processes, leaks->process_id)));
    } else if (leaks->cause == KP_CAUSE_OWN) {
        kp_emit_line(context->out, 0, "%s", "");
        kp_emit_line(context->out, 6,
                     "next: record a build of it without %s: then its places are named",
                     leaks->outside.allocator);
    } else if (leaks->cause == KP_CAUSE_OTHER || leaks->cause == KP_CAUSE_THREADS) {
        kp_report_next(context, "sites --kind mmap", "who maps memory");
    } else {
        kp_report_next(context, "sites", "every place that has memory");
    }
}
