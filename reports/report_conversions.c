/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB conversions: what crosses between Python and native code, by entry. In JSON and
 * CSV one row for each direction of an entry; what concerns the entry as a whole (calls, the GIL)
 * stands in each of its rows. One thread.
 */
#include "advice_text.h"
#include "conversion_table.h"
#include "conversions_view.h"
#include "format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kp_column columns[] = {
    {"number", NULL, KP_TYPE_NUMBER},
    {"entry", NULL, KP_TYPE_TEXT},
    {"module", NULL, KP_TYPE_TEXT},
    {"kind", NULL, KP_TYPE_TEXT},
    {"threads", NULL, KP_TYPE_WHOLE},
    {"direction", NULL, KP_TYPE_TEXT},
    {"calls", NULL, KP_TYPE_COUNT},
    {"conversions", NULL, KP_TYPE_COUNT},
    {"bytes", NULL, KP_TYPE_BYTES},
    {"payload", NULL, KP_TYPE_BYTES},
    {"objects", NULL, KP_TYPE_COUNT},
    {"copies", NULL, KP_TYPE_COUNT},
    {"time_s", NULL, KP_TYPE_SECONDS_ESTIMATE},
    {"entry_time_s", NULL, KP_TYPE_SECONDS_ESTIMATE},
    {"gil_wait_s", NULL, KP_TYPE_SECONDS},
    {"gil_hold_s", NULL, KP_TYPE_SECONDS},
    {"allocated", NULL, KP_TYPE_BYTES_ESTIMATE},
    {"amplification", NULL, KP_TYPE_SHARE},
    {"retained", NULL, KP_TYPE_BYTES_ESTIMATE},
    {"by_api", NULL, KP_TYPE_LIST},
    {"advice", NULL, KP_TYPE_LIST},
    {"stack", NULL, KP_TYPE_STACK},
};
#define COLUMNS (sizeof columns / sizeof *columns)

/* The calls of one direction as a JSON object, and in the first row of an entry those of none. NULL
 * without memory; for free(). Names of the API need no escapes. */
static char *by_api_json(const struct kp_entry *entry, enum kp_direction direction, bool first)
{
    char *text = NULL;
    size_t bytes;
    const char *comma = "";
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    putc('{', out);
    for (int row = 0; row < KP_API_ROWS; row++) {
        const struct kp_api_info *info = &kp_api_rows[row];
        const struct kp_api_count *count = &entry->api[row];
        bool ours = info->direction == direction || (first && info->direction == KP_NO_DIRECTION);
        if (!ours || (count->calls == 0 && count->amount == 0))
            continue;
        fprintf(out, "%s\"%s\": {\"calls\": %.0f, \"bytes\": %.0f", comma, info->name, count->calls,
                info->unit == KP_UNIT_BYTES ? count->amount : 0);
        if (info->unit == KP_UNIT_ITEMS)
            fprintf(out, ", \"items\": %.0f", count->amount);
        else if (info->unit == KP_UNIT_NS)
            fprintf(out, ", \"seconds\": %.9g", count->amount / 1e9);
        putc('}', out);
        comma = ", ";
    }
    putc('}', out);
    fclose(out);
    return text;
}

/* The same for advice; what concerns the entry as a whole stands in its first row. */
static char *advice_json(const struct kp_entry *entry, enum kp_direction direction, bool first)
{
    struct kp_advice advice[KP_RULES];
    char words[KP_ADVICE_TEXT_BYTES], *text = NULL;
    size_t bytes, count = kp_advise(entry, advice);
    const char *comma = "";
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    putc('[', out);
    for (size_t i = 0; i < count; i++) {
        const struct kp_advice *a = &advice[i];
        if (a->direction != direction && !(first && a->direction == KP_NO_DIRECTION))
            continue;
        fprintf(out, "%s{\"rule\": \"%s\", \"text\": \"%s\", \"saves_bytes\": %.0f, \"saves_s\": %.9g}",
                comma, kp_rule_name(a->rule), kp_advice_text(entry, a, words), a->saves_bytes,
                a->saves_s);
        comma = ", ";
    }
    putc(']', out);
    fclose(out);
    return text;
}

static void emit_way(struct kp_report_context *context, const struct kp_entry *entry, size_t number,
                     enum kp_direction direction, bool first)
{
    const struct kp_conversion_way *way = &entry->ways[direction];
    struct kp_frame frames[KP_FRAMES_MAX];
    size_t count = kp_query_frames(context->query, entry->stack_id, frames, KP_FRAMES_MAX);
    double amplification = kp_conversion_amplification(way);
    char *by_api = by_api_json(entry, direction, first);
    char *advice = advice_json(entry, direction, first);
    struct kp_value row[COLUMNS] = {
        kp_whole((int64_t)number),
        kp_text(entry->name),
        kp_text(entry->module),
        kp_text(entry->kind),
        kp_whole(entry->threads),
        kp_text(kp_direction_name(direction)),
        kp_amount(entry->calls),
        kp_amount(way->conversions),
        kp_amount(way->bytes),
        kp_amount(way->payload),
        kp_amount(way->objects),
        kp_amount(way->copies),
        kp_sum_value(&way->time),
        kp_sum_value(&entry->total),
        kp_amount(entry->gil_wait_s),
        kp_amount(entry->gil_hold_s),
        kp_sum_value(&way->allocated),
        amplification >= 0 ? kp_amount(amplification) : kp_unknown(),
        kp_sum_value(&way->retained),
        by_api ? kp_text(by_api) : kp_unknown(),
        advice ? kp_text(advice) : kp_unknown(),
        kp_stack(frames, count),
    };
    kp_emit_row(context->out, row);
    free(by_api);
    free(advice);
}

static void emit_entry(struct kp_report_context *context, const struct kp_entry *entry,
                       size_t number)
{
    bool first = true;
    for (enum kp_direction d = KP_TO_PYTHON; d <= KP_FROM_PYTHON; d++) {
        if (entry->ways[d].conversions <= 0)
            continue;
        emit_way(context, entry, number, d, first);
        first = false;
    }
}

void kp_conversions_totals(struct kp_report_context *context, const char *key,
                           const struct kp_entries *entries)
{
    struct kp_emitter *out = context->out;
    struct kp_conversion_way sum = {0};
    for (size_t i = 0; i < entries->count; i++)
        for (int d = 0; d < 2; d++) {
            const struct kp_conversion_way *way = &entries->items[i].ways[d];
            sum.conversions += way->conversions;
            sum.bytes += way->bytes;
            sum.objects += way->objects;
            sum.copies += way->copies;
        }
    kp_emit_object(out, key);
    kp_emit_value(out, "conversions", KP_TYPE_COUNT, kp_amount(sum.conversions));
    kp_emit_value(out, "bytes", KP_TYPE_BYTES, kp_amount(sum.bytes));
    kp_emit_value(out, "objects", KP_TYPE_COUNT, kp_amount(sum.objects));
    kp_emit_value(out, "copies", KP_TYPE_COUNT, kp_amount(sum.copies));
    kp_emit_value(out, "time_s", KP_TYPE_SECONDS_ESTIMATE, kp_sum_value(&entries->converting));
    kp_emit_value(out, "time_share", KP_TYPE_SHARE, kp_amount(kp_conversions_time_share(entries)));
    kp_emit_value(out, "gil_wait_s", KP_TYPE_SECONDS, kp_amount(entries->gil_wait_s));
    kp_emit_value(out, "allocated", KP_TYPE_BYTES_ESTIMATE, kp_sum_value(&entries->allocated));
    kp_emit_value(out, "allocated_share", KP_TYPE_SHARE, kp_amount(kp_conversions_share(entries)));
    kp_emit_value(out, "retained", KP_TYPE_BYTES_ESTIMATE, kp_sum_value(&entries->retained));
    kp_emit_value(out, "processes_on", KP_TYPE_WHOLE, kp_whole(entries->processes_on));
    kp_emit_value(out, "processes_off", KP_TYPE_WHOLE, kp_whole(entries->processes_off));
    kp_emit_value(out, "patched_modules", KP_TYPE_WHOLE, kp_whole(entries->patched_modules));
    kp_emit_value(out, "lost_entries", KP_TYPE_WHOLE, kp_whole(entries->lost_entries));
    kp_emit_value(out, "lost_blocks", KP_TYPE_WHOLE, kp_whole(entries->lost_blocks));
    kp_emit_value(out, "lost_activations", KP_TYPE_WHOLE, kp_whole(entries->lost_activations));
    kp_emit_object_end(out);
}

static void data_view(struct kp_report_context *context, const struct kp_entries *entries)
{
    size_t one = (size_t)context->options->entry, top = kp_report_top(context, SIZE_MAX);
    kp_emit_table(context->out, "entries", columns, COLUMNS);
    for (size_t i = 0; i < entries->count && i < top; i++)
        if (one == 0 || one == i + 1)
            emit_entry(context, &entries->items[i], i + 1);
    kp_emit_table_end(context->out);
    kp_conversions_totals(context, "totals", entries);
}

static void lost_lines(struct kp_report_context *context, const struct kp_entries *entries)
{
    char count[256];
    if (entries->lost_blocks > 0)
        kp_emit_line(context->out, 0, "counts are too low: %s no room in the spool",
                     kp_format_plural(count, entries->lost_blocks, "block of counters", "found"));
    if (entries->lost_entries > 0)
        kp_emit_line(context->out, 0, "%s", kp_format_plural(count, entries->lost_entries, "function",
                                                             "found no place: its conversions "
                                                             "stand with its module"));
}

static int check_entry(const struct kp_report_context *context, const struct kp_entries *entries,
                       struct kp_error *error)
{
    if ((size_t)context->options->entry <= entries->count)
        return 0;
    return -kp_error_set(error, "no entry %lld, there are %zu; see: kprof-report %.300s conversions",
                         (long long)context->options->entry, entries->count, context->database);
}

static void emit_all(struct kp_report_context *context, const struct kp_entries *entries,
                     const struct kp_callers *callers)
{
    kp_report_losses(context, true);
    lost_lines(context, entries);
    if (!kp_emitter_is_text(context->out))
        data_view(context, entries);
    else if (context->options->entry > 0)
        kp_conversions_one(context, entries, callers);
    else
        kp_conversions_list(context, entries);
}

int kp_report_conversions(struct kp_report_context *context, struct kp_error *error)
{
    struct kp_entries entries = {0};
    struct kp_callers callers = {0};
    int64_t one = context->options->entry;
    int result = kp_query_load_stacks(context->query, error);
    if (result == 0)
        result = kp_query_entries(context->query, &context->filter, &entries, error);
    if (result == 0)
        result = check_entry(context, &entries, error);
    if (result == 0 && one > 0)
        result = kp_query_callers(context->query, &context->filter, &entries.items[one - 1],
                                  &callers, error);
    if (result == 0)
        emit_all(context, &entries, &callers);
    kp_callers_release(&callers);
    kp_entries_release(&entries);
    return result;
}
