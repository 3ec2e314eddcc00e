/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB timeline: what was allocated, freed, live and resident over time, all processes
 * together, in slices of one width. One thread.
 */
#include "format.h"
#include "phases_view.h"
#include "report.h"

#include <math.h>
#include <string.h>

#define SCREEN_LINES 24
#define FITS 17
#define ROWS_MIN 5
#define OTHER_LINES 5 /* peaks, titles, what is next */
#define SLICES_AT_MOST 1000 /* of JSON and CSV, unless --top says otherwise */
#define BAR_COLUMNS 30

static const struct kp_column columns[] = {
    {"start_s", NULL, KP_TYPE_SECONDS},
    {"end_s", NULL, KP_TYPE_SECONDS},
    {NULL, "until", KP_TYPE_SECONDS},
    {"allocated_bytes", "allocated", KP_TYPE_BYTES},
    {"allocated_count", NULL, KP_TYPE_COUNT},
    {"freed_bytes", "freed", KP_TYPE_BYTES},
    {"freed_count", NULL, KP_TYPE_COUNT},
    {"rss_bytes", "RSS", KP_TYPE_BYTES},
    {"samples", NULL, KP_TYPE_COUNT},
    {"rate_min", NULL, KP_TYPE_RATE},
    {"rate_max", NULL, KP_TYPE_RATE},
    {"live_bytes", "live", KP_TYPE_BYTES},
    {NULL, "", KP_TYPE_TEXT},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static struct kp_value rate_or_unknown(int64_t rate)
{
    return rate > 0 ? kp_amount((double)rate) : kp_unknown();
}

static void emit_slice(struct kp_emitter *out, const struct kp_slice *s, double most)
{
    char bar[BAR_COLUMNS + 1];
    size_t length = most > 0 ? (size_t)lround(fmin(s->live_bytes / most, 1) * BAR_COLUMNS) : 0;
    memset(bar, '#', length);
    bar[length] = '\0';
    struct kp_value row[COLUMNS] = {
        kp_amount(s->start_s),
        kp_amount(s->end_s),
        kp_amount(s->end_s),
        kp_amount(s->allocated_bytes),
        kp_amount(s->allocated_count),
        kp_amount(s->freed_bytes),
        kp_amount(s->freed_count),
        s->rss_bytes >= 0 ? kp_amount((double)s->rss_bytes) : kp_unknown(),
        kp_amount(s->samples),
        rate_or_unknown(s->rate_min),
        rate_or_unknown(s->rate_max),
        kp_amount(s->live_bytes),
        kp_text(bar),
    };
    kp_emit_row(out, row);
}

static void emit_peaks(struct kp_emitter *out, const struct kp_timeline *t)
{
    char live[KP_FORMAT_BYTES], at[KP_FORMAT_BYTES], rss[KP_FORMAT_BYTES],
        rss_at[KP_FORMAT_BYTES + 4] = "";
    if (t->peak_rss_s >= 0) {
        strcpy(rss_at, " at ");
        kp_format_seconds(rss_at + 4, t->peak_rss_s);
    }
    if (t->peak_live_bytes > 0)
        kp_emit_line(out, 2, "most live: %s at %s; most resident: %s%s",
                     kp_format_size(live, t->peak_live_bytes),
                     kp_format_seconds(at, t->peak_live_s), kp_format_size(rss, t->peak_rss_bytes),
                     rss_at);
    else
        kp_emit_line(out, 2, "no sample was drawn; most resident: %s%s",
                     kp_format_size(rss, t->peak_rss_bytes), rss_at);
    kp_emit_line(out, 0, "%s", "");
    kp_emit_object(out, "peak");
    kp_emit_value(out, "live_bytes", KP_TYPE_BYTES, kp_amount(t->peak_live_bytes));
    kp_emit_value(out, "live_s", KP_TYPE_SECONDS,
                  t->peak_live_bytes > 0 ? kp_amount(t->peak_live_s) : kp_unknown());
    kp_emit_value(out, "rss_bytes", KP_TYPE_BYTES, kp_amount(t->peak_rss_bytes));
    kp_emit_value(out, "rss_s", KP_TYPE_SECONDS,
                  t->peak_rss_s >= 0 ? kp_amount(t->peak_rss_s) : kp_unknown());
    kp_emit_object_end(out);
}

static void emit_slices(struct kp_emitter *out, const struct kp_timeline *t)
{
    double most = 0;
    for (size_t i = 0; i < t->count; i++)
        most = fmax(most, t->slices[i].live_bytes);
    kp_emit_table(out, "timeline", columns, COLUMNS);
    bool anything = t->peak_live_bytes > 0 || t->peak_rss_s >= 0;
    for (size_t i = 0; anything && i < t->count; i++)
        emit_slice(out, &t->slices[i], most);
    kp_emit_table_end(out);
}

/* What is left of a screen below the phases. */
static size_t slices_that_fit(struct kp_report_context *context)
{
    size_t used = kp_emitter_lines(context->out) + OTHER_LINES;
    size_t fits = used + ROWS_MIN < SCREEN_LINES ? SCREEN_LINES - used : ROWS_MIN;
    size_t rows = kp_report_top(context, fits < FITS ? fits : FITS);
    return context->options->top <= 0 && rows > SLICES_AT_MOST ? SLICES_AT_MOST
           : rows < 1000000                                    ? rows
                                                               : 1000000;
}

int kp_report_timeline(struct kp_report_context *context, struct kp_error *error)
{
    struct kp_timeline t = {0};
    struct kp_phase_list phases;
    int result = kp_query_phase_list(context->query, &context->filter, &phases, error);
    /* Once before anything is printed: a damaged database gets one line. How many slices fit is
     * known when the rest stands there. */
    if (result == 0)
        result = kp_query_timeline(context->query, &context->filter, 1, &t, error);
    kp_timeline_release(&t);
    if (result == 0) {
        kp_report_losses(context, true);
        kp_phases_tables(context, &phases);
        result = kp_query_timeline(context->query, &context->filter, slices_that_fit(context), &t,
                                   error);
    }
    if (result == 0) {
        emit_peaks(context->out, &t);
        emit_slices(context->out, &t);
        kp_report_next(context, "sites", "where what is live was allocated");
    }
    kp_timeline_release(&t);
    kp_phase_list_release(&phases);
    return result;
}
