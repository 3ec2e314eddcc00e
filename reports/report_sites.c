/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB sites: the places that allocate, numbered; --site N shows one with its whole
 * stack. Numbers hold for the same options. One thread.
 */
#include "format.h"
#include "report.h"
#include "stack_view.h"
#include "where.h"

#include <stdio.h>
#include <string.h>

#define FITS 17

static const struct kp_column site_columns[] = {
    {"site", "#", KP_TYPE_NUMBER},
    {"live", "live", KP_TYPE_BYTES_ESTIMATE},
    {"allocated", "allocated", KP_TYPE_BYTES_ESTIMATE},
    {"count", "blocks", KP_TYPE_COUNT_BARE},
    {"live_count", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"samples", NULL, KP_TYPE_WHOLE},
    {"kind", NULL, KP_TYPE_TEXT},
    {"converting", NULL, KP_TYPE_BOOL},
    {"first_s", NULL, KP_TYPE_SECONDS},
    {"last_s", NULL, KP_TYPE_SECONDS},
    {"sites", NULL, KP_TYPE_WHOLE},
    {"group", NULL, KP_TYPE_TEXT},
    {NULL, "where", KP_TYPE_TEXT},
    {"stack", NULL, KP_TYPE_STACK},
};
#define SITE_COLUMNS (sizeof site_columns / sizeof *site_columns)

static void emit_site(struct kp_report_context *context, const struct kp_site *site, size_t number)
{
    struct kp_frame frames[KP_FRAMES_MAX];
    size_t count = kp_query_frames(context->query, site->stack_id, frames, KP_FRAMES_MAX);
    struct kp_where where;
    char group[512];
    if (site->group)
        kp_where_of(frames, count, &where);
    else
        kp_where_with_callers(frames, count, &where);
    if (site->group)
        kp_where_group(site->group, (enum kp_group)context->options->group, group, sizeof group);
    bool whole_stack = !site->group || context->options->group == KP_GROUP_LINE;
    struct kp_value row[SITE_COLUMNS] = {
        kp_whole((int64_t)number),
        kp_sum_value(&site->live),
        kp_sum_value(&site->allocated),
        kp_sum_value(&site->allocated_count),
        kp_sum_value(&site->live_count),
        kp_whole(site->allocated.samples),
        kp_text(kp_kinds_name(site->kind)),
        kp_whole(2 * site->converting > site->allocated.value),
        kp_amount(site->first_s),
        kp_amount(site->last_s),
        kp_whole(site->members),
        site->group ? kp_text(group) : kp_unknown(),
        whole_stack ? kp_texts(where.text, where.shorter) : kp_text(group),
        kp_stack(frames, count),
    };
    kp_emit_row(context->out, row);
}

static bool is_below_minimum(const struct kp_report_context *context, const struct kp_site *site)
{
    const struct kp_report_options *o = context->options;
    double bytes = context->sort == KP_SORT_ALLOCATED ? site->allocated.value : site->live.value;
    return context->sort != KP_SORT_COUNT && bytes < (double)o->min_bytes;
}

static void emit_stack_text(struct kp_report_context *context, const struct kp_site *site,
                            size_t number, size_t of)
{
    char live[KP_FORMAT_BYTES], allocated[KP_FORMAT_BYTES], count[KP_FORMAT_BYTES],
        total[KP_FORMAT_BYTES];
    char first[KP_FORMAT_BYTES], last[KP_FORMAT_BYTES], range[KP_FORMAT_BYTES];
    struct kp_estimate bytes = kp_estimate_of(&site->allocated);
    kp_emit_line(context->out, 2,
                 "site %zu of %s (%s): %s live of %s allocated%s%s in %s blocks, from %s to %s",
                 number, kp_format_whole(total, (int64_t)of), kp_kinds_name(site->kind),
                 kp_format_size(live, site->live.value), kp_format_size(allocated, bytes.value),
                 *kp_format_size_range(range, &bytes) ? " " : "", range,
                 kp_format_count(count, site->allocated_count.value),
                 kp_format_seconds(first, site->first_s), kp_format_seconds(last, site->last_s));
    kp_stack_view(context, site);
}

static void emit_one(struct kp_report_context *context, const struct kp_sites *sites)
{
    size_t number = (size_t)context->options->site;
    const struct kp_site *site = &sites->items[number - 1];
    if (kp_emitter_is_text(context->out)) {
        emit_stack_text(context, site, number, sites->count);
        kp_report_next(context, "tree --bottom-up", "who calls the allocating functions");
        return;
    }
    kp_emit_table(context->out, "sites", site_columns, SITE_COLUMNS);
    emit_site(context, site, number);
    kp_emit_table_end(context->out);
}

static void emit_headline(struct kp_report_context *context, const struct kp_sites *sites,
                          size_t shown)
{
    static const char *const units[] = {"stack",  "line",        "function",
                                        "module", "Python line", "native line"};
    static const char *const keys[] = {"live", "allocated", "number of blocks"};
    char count[256], live[KP_FORMAT_BYTES], allocated[KP_FORMAT_BYTES];
    kp_emit_line(context->out, 2, "%s allocated %s, %s of it live; the first %zu by %s",
                 kp_format_plural(count, (int64_t)sites->count, units[context->options->group], ""),
                 kp_format_size(allocated, sites->total.allocated.value),
                 kp_format_size(live, sites->total.live.value), shown, keys[context->sort]);
    kp_emit_line(context->out, 0, "%s", "");
}

static void emit_list(struct kp_report_context *context, const struct kp_sites *sites)
{
    size_t top = kp_report_top(context, FITS), shown = 0;
    while (shown < sites->count && shown < top && !is_below_minimum(context, &sites->items[shown]))
        shown++;
    if (sites->count == 0)
        kp_emit_line(context->out, 0,
                     "no sample was drawn: nothing is known about where memory was allocated");
    else
        emit_headline(context, sites, shown);
    kp_emit_value(context->out, "total", KP_TYPE_WHOLE, kp_whole((int64_t)sites->count));
    struct kp_column shown_columns[SITE_COLUMNS];
    kp_report_columns(context, site_columns, SITE_COLUMNS, shown_columns);
    kp_emit_table(context->out, "sites", shown_columns, SITE_COLUMNS);
    for (size_t i = 0; i < shown; i++)
        emit_site(context, &sites->items[i], i + 1);
    kp_emit_table_end(context->out);
    char again[200];
    if (context->options->group != KP_GROUP_STACK)
        kp_report_next(context, "sites", "the same, one row a stack");
    else if (sites->count > 0)
        kp_report_next(context, kp_report_again(context, "sites --site 1", again, sizeof again),
                       "the whole stack of the first");
    else
        kp_report_next(context, "processes", "what ran, and at which rate");
}

static int check_site(const struct kp_report_context *context, const struct kp_sites *sites,
                      struct kp_error *error)
{
    if ((size_t)context->options->site <= sites->count)
        return 0;
    return -kp_error_set(error, "no site %lld, there are %zu; see: kprof-report %.300s sites",
                         (long long)context->options->site, sites->count, context->database);
}

int kp_report_sites(struct kp_report_context *context, struct kp_error *error)
{
    const struct kp_report_options *o = context->options;
    struct kp_sites sites = {0};
    int result = kp_query_load_stacks(context->query, error);
    if (result == 0)
        result = kp_query_sites(context->query, &context->filter, (enum kp_group)o->group,
                                context->sort, &sites, error);
    if (result == 0)
        result = check_site(context, &sites, error);
    if (result == 0) {
        kp_report_losses(context, true);
        if (o->site > 0)
            emit_one(context, &sites);
        else
            emit_list(context, &sites);
    }
    kp_sites_release(&sites);
    return result;
}
