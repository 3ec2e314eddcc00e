/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB leaks: does it leak, how much an iteration, where. --fail-above makes a gate of
 * it, --baseline compares with an older recording, --site N shows one place with its stack. One
 * thread.
 */
#include "format.h"
#include "leaks_view.h"
#include "stack_view.h"

#include <stdio.h>
#include <string.h>

static const enum kp_leak_group groups[] = {KP_LEAK_BY_PLACE, KP_LEAK_BY_LINE,
                                            KP_LEAK_BY_FUNCTION, KP_LEAK_BY_MODULE};

static enum kp_leak_group choose_group(const struct kp_report_options *o)
{
    return o->group == KP_GROUP_SIDE ? KP_LEAK_BY_SIDE : groups[o->group];
}

static void check_gate(const struct kp_leaks_view *view)
{
    const struct kp_report_options *o = view->context->options;
    bool compares = view->has_before && !view->unsure;
    double low = compares ? view->against.difference.low : view->leaks->rate.low;
    char above[KP_FORMAT_BYTES], found[KP_FORMAT_BYTES];
    if (o->fail_above < 0 || !(low > (double)o->fail_above))
        return;
    view->context->gate_is_exceeded = true;
    snprintf(view->context->gate, sizeof view->context->gate,
             "it leaks at least %s per %s%s, more than %s", kp_format_size(found, low),
             kp_leaks_unit(view->leaks), compares ? " more than before" : "",
             kp_format_size(above, (double)o->fail_above));
}

static int show_site(const struct kp_leaks_view *view, struct kp_error *error)
{
    size_t number = (size_t)view->context->options->site;
    if (number > view->leaks->site_count ||
        view->leaks->sites[number - 1].cohort.survivors == 0)
        return -kp_error_set(error, "no place %zu; see: kprof-report %.300s leaks", number,
                             view->context->database);
    const struct kp_leak_site *leak = &view->leaks->sites[number - 1];
    struct kp_site site = {.stack_id = leak->stack_id, .process_id = leak->process_id};
    char rate[KP_LEAKS_RATE_BYTES], side[256];
    kp_leaks_side(leak, side, sizeof side);
    kp_emit_line(view->context->out, 2,
                 "place %zu: %s, %s, %s; %zu samples of %zu %ss since %s %.0f, p %.2g",
                 number, kp_leak_verdict_name(leak->verdict),
                 kp_leaks_rate(view->leaks, &leak->cohort.rate, rate), side,
                 leak->cohort.survivors, leak->cohort.generations,
                 view->leaks->has_marks ? "iteration" : "slice", kp_leaks_unit(view->leaks),
                 leak->cohort.onset, leak->cohort.p);
    kp_stack_view(view->context, &site);
    kp_report_next(view->context, "leaks", "all places");
    return 0;
}

static int show(struct kp_leaks_view *view, struct kp_error *error)
{
    struct kp_report_context *context = view->context;
    kp_report_losses(context, true);
    if (kp_emitter_is_text(context->out) && context->options->site > 0)
        return show_site(view, error);
    if (kp_emitter_is_text(context->out))
        kp_leaks_headline(view);
    else
        kp_leaks_values(view);
    kp_leaks_table(view);
    if (kp_emitter_is_text(context->out))
        kp_leaks_footer(view);
    return 0;
}

int kp_report_leaks(struct kp_report_context *context, struct kp_error *error)
{
    const struct kp_report_options *o = context->options;
    struct kp_leaks leaks = {0};
    struct kp_leak_request request = {
        .pid = o->pid, .since = (double)o->since, .until = (double)o->until};
    struct kp_leaks_view view = {.context = context, .leaks = &leaks};
    view.limit_bytes = o->limit > 0 ? (double)o->limit : kp_memory_limit();
    view.group = request.group = choose_group(o);
    int result = kp_query_leaks(context->query, &request, &leaks, error);
    if (result == 0 && o->baseline)
        result = kp_leaks_baseline(&view, &request, error);
    if (result == 0)
        result = show(&view, error);
    if (result == 0)
        check_gate(&view);
    kp_leaks_release(&leaks);
    return result;
}
