/* SPDX-License-Identifier: MIT */
/*
 * "LEAKS  1.22 KB per iteration (95 %: 1.05 to 1.39), linear since iteration 40": one line of the
 * summary, and the same figures in its JSON. Only where iterations were marked: slices of time say
 * too little for a screen on which everything counts. One thread.
 */
#include "format.h"
#include "leaks_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABEL_COLUMNS 13

static void describe(const struct kp_leaks *leaks, char *out, size_t bytes)
{
    char rate[KP_LEAKS_RATE_BYTES], since[KP_FORMAT_BYTES];
    kp_leaks_rate(leaks, &leaks->rate, rate);
    if (leaks->verdict >= KP_LEAK_PROBABLE)
        snprintf(out, bytes, "%s%s, linear since iteration %s",
                 leaks->verdict == KP_LEAK_SURE ? "" : "probably ", rate,
                 kp_format_whole(since, llround(leaks->onset)));
    else if (leaks->cause == KP_CAUSE_LIVE)
        snprintf(out, bytes, "%s: %s", kp_leak_verdict_name(leaks->verdict),
                 kp_leaks_rate(leaks, &leaks->live.rate, rate));
    else if (leaks->cause == KP_CAUSE_HELD)
        snprintf(out, bytes, "none; what grows is free memory that the allocator keeps");
    else if (leaks->cause == KP_CAUSE_NONE)
        snprintf(out, bytes, "none above %s per iteration",
                 kp_format_size(since, leaks->detectable));
    else
        snprintf(out, bytes, "not in the heap; mappings outside of it grow");
}

void kp_leaks_summary(struct kp_report_context *context, const struct kp_leaks *leaks)
{
    char text[300], command[400];
    if (!leaks->has_marks)
        return;
    describe(leaks, text, sizeof text);
    snprintf(command, sizeof command, "  kprof-report %.300s leaks", context->database);
    size_t width = kp_emitter_width(context->out);
    bool fits = width == 0 || LABEL_COLUMNS + strlen(text) + strlen(command) <= width;
    kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%s%s", LABEL_COLUMNS, "LEAKS", text,
                 fits ? command : "");
    kp_emit_object(context->out, "leaks");
    kp_emit_value(context->out, "verdict", KP_TYPE_TEXT,
                  kp_text(kp_leak_verdict_name(leaks->verdict)));
    kp_emit_value(context->out, "rate", KP_TYPE_BYTES_ESTIMATE, kp_estimated(leaks->rate));
    kp_emit_value(context->out, "iterations", KP_TYPE_WHOLE,
                  kp_whole(llround(leaks->iterations)));
    kp_emit_object_end(context->out);
}
