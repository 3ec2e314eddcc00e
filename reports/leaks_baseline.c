/* SPDX-License-Identifier: MIT */
/*
 * leaks --baseline OLD.db: the older recording is looked at in the same way, and the two rates are
 * compared. That it is of the same program is for the user to see to: where the names differ he is
 * told. One thread.
 */
#include "format.h"
#include "leaks_view.h"
#include "recording.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void name_program(const struct kp_processes *processes, int64_t id, char *out,
                         size_t out_bytes)
{
    for (size_t i = 0; i < processes->count; i++)
        if (processes->items[i].id == id)
            kp_process_program(&processes->items[i], out, out_bytes);
}

static const char *unsure_one(const struct kp_leaks_view *view, const struct kp_leaks *before)
{
    if (view->leaks->verdict == KP_LEAK_UNSURE)
        return "this run";
    return before->verdict == KP_LEAK_UNSURE ? view->before : NULL;
}

static int compare(struct kp_leaks_view *view, struct kp_query *query,
                   const struct kp_leak_request *request, struct kp_error *error)
{
    struct kp_leaks before = {0};
    struct kp_processes processes = {0};
    struct kp_filter all = {0};
    struct kp_leak_request same = *request;
    same.pid = 0; /* it was another one then */
    int result = kp_query_leaks(query, &same, &before, error);
    if (result == 0 && before.has_marks != view->leaks->has_marks)
        result = -kp_error_set(error, "%.300s has %s iterations marked: rates cannot be compared",
                               view->before, before.has_marks ? "its" : "no");
    if (result == 0)
        result = kp_query_processes(query, &all, &processes, error);
    if (result == 0) {
        view->has_before = true;
        view->unsure = unsure_one(view, &before);
        view->against = kp_welch_compare(&view->leaks->measured, &before.measured);
        name_program(&processes, before.process_id, view->program_before,
                     sizeof view->program_before);
        name_program(&view->context->processes, view->leaks->process_id, view->program,
                     sizeof view->program);
    }
    kp_processes_release(&processes);
    kp_leaks_release(&before);
    return result;
}

int kp_leaks_baseline(struct kp_leaks_view *view, const struct kp_leak_request *request,
                      struct kp_error *error)
{
    struct kp_settled settled;
    struct kp_query *query = NULL;
    view->before = view->context->options->baseline;
    int result =
        kp_recording_settle(view->before, view->context->options->no_wait, &settled, error);
    if (result == 0)
        result = kp_query_open(&query, settled.path, error);
    if (result == 0)
        result = compare(view, query, request, error);
    kp_query_close(query);
    kp_settled_release(&settled);
    return result;
}

static void difference_line(const struct kp_leaks_view *view)
{
    const struct kp_estimate *d = &view->against.difference;
    char size[KP_FORMAT_BYTES], low[KP_FORMAT_BYTES], high[KP_FORMAT_BYTES];
    kp_emit_line(view->context->out, 2, "Against %s: %s%s per %s (95 %%: %s%s to %s%s), %s.",
                 view->before, d->value < 0 ? "-" : "+", kp_format_size(size, fabs(d->value)),
                 kp_leaks_unit(view->leaks), d->low < 0 ? "-" : "+",
                 kp_format_size(low, fabs(d->low)), d->high < 0 ? "-" : "+",
                 kp_format_size(high, fabs(d->high)),
                 view->against.p < 0.05 ? d->value > 0 ? "which is worse" : "which is better"
                                        : "which may be chance");
}

void kp_leaks_baseline_line(const struct kp_leaks_view *view)
{
    if (!view->has_before)
        return;
    if (view->unsure)
        kp_emit_line(view->context->out, 2,
                     "Against %s: no comparison, since %s has not enough evidence of its rate.",
                     view->before, view->unsure);
    else
        difference_line(view);
    if (strcmp(view->program, view->program_before) != 0)
        kp_emit_line(view->context->out, 2,
                     "But %s is a recording of another program: of %s, this one of %s.",
                     view->before, view->program_before, view->program);
}
