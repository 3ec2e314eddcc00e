/* SPDX-License-Identifier: MIT */
/*
 * Text of kprof-report DB conversions: the answer, then an entry a row with the line that calls it
 * and the advice there is, then what to type next. See conversions_view.h.
 */
#include "conversions_view.h"
#include "advice_text.h"
#include "conversion_table.h"
#include "format.h"
#include "utf8.h"
#include "where.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCREEN_LINES 24
#define FRAME_LINES 7 /* headline, titles, what is left out, next */
#define ROWS_MIN 3
#define LABEL_COLUMNS 13
#define CALLERS_FIT 6
#define CALLERS_MAX 64
#define FIGURES_COLUMNS 79 /* of the list, without the names */
#define CELL_BYTES (2 * KP_FORMAT_BYTES + 16)

double kp_conversions_share(const struct kp_entries *entries)
{
    double all = entries->all_allocated.value;
    return all > 0 ? fmin(1, entries->allocated.value / all) : 0;
}

double kp_conversions_time_share(const struct kp_entries *entries)
{
    return entries->lived_s > 0 ? fmin(1, entries->converting.value / entries->lived_s) : 0;
}

void kp_entry_label(const struct kp_entry *entry, char *out, size_t out_bytes)
{
    char module[256] = "";
    kp_module_label(entry->module, module, sizeof module);
    if (strcmp(entry->kind, "thread") == 0)
        snprintf(out, out_bytes, "%s x%lld", *entry->name ? entry->name : "threads",
                 (long long)entry->threads);
    else if (strcmp(entry->kind, "module") == 0)
        snprintf(out, out_bytes, "(%s)", *module ? module : "native code");
    else if (!strchr(entry->name, '.') && *module)
        snprintf(out, out_bytes, "%s (%s)", entry->name, module);
    else
        snprintf(out, out_bytes, "%s", entry->name);
}

/* "1.05 GB in 4.9 M": payload in objects, or in calls where no object is made; the payload alone
 * where there is little room. */
static const char *describe_way(const struct kp_report_context *context,
                                const struct kp_conversion_way *way, char *out)
{
    char bytes[KP_FORMAT_BYTES], things[KP_FORMAT_BYTES];
    *out = '\0';
    size_t width = kp_emitter_width(context->out);
    if (way->conversions <= 0)
        return out;
    snprintf(out, CELL_BYTES, "%s", kp_format_size(bytes, way->payload));
    if (width == 0 || width > FIGURES_COLUMNS + 20)
        snprintf(out, CELL_BYTES, "%s in %s", bytes,
                 kp_format_count(things, way->objects > 0 ? way->objects : way->conversions));
    return out;
}

static const char *describe_allocated(const struct kp_entry *entry, char *out)
{
    char size[KP_FORMAT_BYTES];
    double payload = entry->ways[0].payload + entry->ways[1].payload;
    double allocated = entry->ways[0].allocated.value + entry->ways[1].allocated.value;
    kp_format_size(size, allocated);
    if (allocated <= 0)
        *out = '\0';
    else if (payload <= 0 || allocated / payload >= 1000 || allocated / payload < 0.01)
        snprintf(out, CELL_BYTES, "%s", size);
    else
        snprintf(out, CELL_BYTES, "%.3gx", allocated / payload);
    return out;
}

/* The line of Python that calls, as far as a stack was drawn. */
static bool caller_text(struct kp_report_context *context, int64_t stack_id, char *out,
                        size_t out_bytes)
{
    struct kp_frame frames[KP_FRAMES_MAX];
    size_t count = stack_id > 0 ? kp_query_frames(context->query, stack_id, frames, KP_FRAMES_MAX)
                                : 0;
    struct kp_telling telling = kp_frames_telling(frames, count);
    if (telling.line == KP_NO_FRAME || !frames[telling.line].python)
        return false;
    kp_where_frame(&frames[telling.line], out, out_bytes);
    return true;
}

static void emit_row(struct kp_report_context *context, const struct kp_entry *entry, size_t number)
{
    char label[256], out[CELL_BYTES], in[CELL_BYTES], allocated[CELL_BYTES];
    size_t width = kp_emitter_width(context->out);
    kp_entry_label(entry, label, sizeof label);
    char *cut = kp_utf8_printable(label, width == 0                      ? 0
                                         : width > FIGURES_COLUMNS + 20 ? width - FIGURES_COLUMNS
                                                                        : 20);
    struct kp_value row[] = {
        kp_whole((int64_t)number),
        kp_text(cut ? cut : label),
        strcmp(entry->kind, "module") ? kp_amount(entry->calls) : kp_unknown(),
        kp_text(describe_way(context, &entry->ways[KP_TO_PYTHON], out)),
        kp_text(describe_way(context, &entry->ways[KP_FROM_PYTHON], in)),
        kp_text(describe_allocated(entry, allocated)),
        kp_amount(entry->converting.value),
        entry->gil_wait_s >= 1e-6 ? kp_amount(entry->gil_wait_s) : kp_unknown(),
    };
    kp_emit_row(context->out, row);
    free(cut);
}

/* Lines that the advice takes on the screen, about. */
static size_t lines_of(const struct kp_report_context *context, const char *text)
{
    size_t width = kp_emitter_width(context->out);
    return 1 + (width > 20 ? strlen(text) / (width - 10) : 0);
}

static size_t emit_under(struct kp_report_context *context, const struct kp_entry *entry)
{
    struct kp_advice advice[KP_RULES];
    char text[KP_ADVICE_TEXT_BYTES], caller[256];
    size_t lines = 0, count = kp_advise(entry, advice);
    if (caller_text(context, entry->stack_id, caller, sizeof caller)) {
        kp_emit_under(context->out, "from %s", caller);
        lines++;
    }
    for (size_t i = 0; i < count; i++) {
        kp_emit_under(context->out, "advice: %s", kp_advice_text(entry, &advice[i], text));
        lines += lines_of(context, text);
    }
    return lines;
}

static void headline(struct kp_report_context *context, const struct kp_entries *entries)
{
    char share[KP_FORMAT_BYTES], time_share[KP_FORMAT_BYTES], time[KP_FORMAT_BYTES],
        wait[KP_FORMAT_BYTES], retained[KP_FORMAT_BYTES], waiting[2 * KP_FORMAT_BYTES] = "";
    if (entries->gil_wait_s >= 1e-3)
        snprintf(waiting, sizeof waiting, ", and %s of waiting for the GIL",
                 kp_format_seconds(wait, entries->gil_wait_s));
    kp_emit_line(context->out, 2,
                 "%s of all bytes allocated happen inside conversions, %s of it still live; they "
                 "take %s of the time, %s%s.",
                 kp_format_share(share, kp_conversions_share(entries)),
                 kp_format_size(retained, entries->retained.value),
                 kp_format_share(time_share, kp_conversions_time_share(entries)),
                 kp_format_seconds(time, entries->converting.value), waiting);
    kp_emit_line(context->out, 0, "%s", "");
}

static void say_none(struct kp_report_context *context, const struct kp_entries *entries)
{
    const char *why = "no conversion was counted: no extension of Python was seen in this run";
    if (entries->processes_off > 0)
        why = "conversions were not counted: KPROF_CONVERSIONS=0";
    else if (entries->processes_on > 0)
        why = "no conversion was counted: no extension converted anything";
    kp_emit_line(context->out, 0, "%s", why);
}

static size_t emit_entries(struct kp_report_context *context, const struct kp_entries *entries)
{
    static const struct kp_column columns[] = {
        {NULL, "", KP_TYPE_NUMBER},          {NULL, "entry", KP_TYPE_TEXT},
        {NULL, "calls", KP_TYPE_COUNT},      {NULL, "to Python", KP_TYPE_TEXT},
        {NULL, "from Python", KP_TYPE_TEXT}, {NULL, "allocated", KP_TYPE_TEXT},
        {NULL, "time", KP_TYPE_SECONDS},     {NULL, "GIL wait", KP_TYPE_SECONDS},
    };
    size_t top = kp_report_top(context, SIZE_MAX), shown = 0, lines = FRAME_LINES;
    bool fits = context->options->top < 0;
    kp_emit_table(context->out, "entries", columns, sizeof columns / sizeof *columns);
    for (; shown < entries->count && shown < top; shown++) {
        if (fits && shown >= ROWS_MIN && lines + 2 > SCREEN_LINES)
            break;
        emit_row(context, &entries->items[shown], shown + 1);
        lines += 1 + emit_under(context, &entries->items[shown]);
    }
    kp_emit_table_end(context->out);
    return shown;
}

void kp_conversions_list(struct kp_report_context *context, const struct kp_entries *entries)
{
    if (entries->count == 0) {
        say_none(context, entries);
        kp_report_next(context, "sites", "where the program allocates");
        return;
    }
    headline(context, entries);
    size_t shown = emit_entries(context, entries);
    if (shown < entries->count)
        kp_emit_line(context->out, 0, "... and %zu more: --top %zu shows all",
                     entries->count - shown, entries->count);
    kp_report_next(context, "conversions --entry 1", "each call of Python's C API, and who calls");
}

void kp_conversions_line(struct kp_report_context *context, const struct kp_entries *entries)
{
    char share[KP_FORMAT_BYTES], time[KP_FORMAT_BYTES], wait[KP_FORMAT_BYTES],
        waiting[KP_FORMAT_BYTES + 16] = "", line[5 * KP_FORMAT_BYTES], command[450];
    size_t width = kp_emitter_width(context->out);
    if (entries->count == 0)
        return;
    if (entries->gil_wait_s >= 1e-3)
        snprintf(waiting, sizeof waiting, ", %s GIL wait",
                 kp_format_seconds(wait, entries->gil_wait_s));
    snprintf(line, sizeof line, "%-*s%s of all bytes allocated, %s of the time%s", LABEL_COLUMNS,
             "CONVERSIONS", kp_format_share(share, kp_conversions_share(entries)),
             kp_format_share(time, kp_conversions_time_share(entries)), waiting);
    snprintf(command, sizeof command, "     kprof-report %.400s conversions", context->database);
    bool fits = width == 0 || strlen(line) + strlen(command) <= width;
    kp_emit_line(context->out, LABEL_COLUMNS, "%s%s", line, fits ? command : "");
}

static void emit_api(struct kp_report_context *context, const struct kp_entry *entry, int row)
{
    const struct kp_api_count *count = &entry->api[row];
    enum kp_unit unit = kp_api_rows[row].unit;
    if (count->calls == 0 && count->amount == 0)
        return;
    struct kp_value cells[] = {
        kp_text(kp_api_rows[row].name),
        kp_whole((int64_t)count->calls),
        unit == KP_UNIT_BYTES ? kp_amount(count->amount) : kp_unknown(),
        unit == KP_UNIT_ITEMS ? kp_amount(count->amount) : kp_unknown(),
        unit == KP_UNIT_NS ? kp_amount(count->amount / 1e9) : kp_unknown(),
    };
    kp_emit_row(context->out, cells);
}

static void emit_apis(struct kp_report_context *context, const struct kp_entry *entry)
{
    static const struct kp_column columns[] = {
        {NULL, "API", KP_TYPE_TEXT},    {NULL, "calls", KP_TYPE_WHOLE},
        {NULL, "bytes", KP_TYPE_BYTES}, {NULL, "items", KP_TYPE_COUNT},
        {NULL, "time", KP_TYPE_SECONDS},
    };
    kp_emit_table(context->out, "by_api", columns, sizeof columns / sizeof *columns);
    for (int row = 0; row < KP_API_ROWS; row++)
        if (kp_api_rows[row].class != KP_API_OWN)
            emit_api(context, entry, row);
    for (int row = 0; row < KP_API_ROWS; row++)
        if (kp_api_rows[row].class == KP_API_OWN && row != KP_API_ROW_entry_calls)
            emit_api(context, entry, row);
    kp_emit_table_end(context->out);
}

/* Stacks that read the same are one line, the longest first as far as they go. */
struct caller_line {
    struct kp_where where;
    double calls, converting_s;
};

static size_t merge_callers(struct kp_report_context *context, const struct kp_callers *callers,
                            struct caller_line *lines)
{
    size_t count = 0;
    for (size_t i = 0; i < callers->count; i++) {
        struct kp_frame frames[KP_FRAMES_MAX];
        struct caller_line line = {{"(no stack)", ""}, 0, 0};
        const struct kp_caller *caller = &callers->items[i];
        size_t frame_count =
            kp_query_frames(context->query, caller->stack_id, frames, KP_FRAMES_MAX), at = 0;
        if (frame_count > 0)
            kp_where_with_callers(frames, frame_count, &line.where);
        while (at < count && strcmp(lines[at].where.text, line.where.text) != 0)
            at++;
        if (at == CALLERS_MAX)
            continue;
        if (at == count)
            lines[count++] = line;
        lines[at].calls += caller->calls;
        lines[at].converting_s += caller->converting_s;
    }
    return count;
}

static void emit_callers(struct kp_report_context *context, const struct kp_callers *callers)
{
    static const struct kp_column columns[] = {
        {NULL, "calls", KP_TYPE_COUNT},
        {NULL, "time", KP_TYPE_SECONDS},
        {NULL, "called from", KP_TYPE_TEXT},
    };
    struct caller_line lines[CALLERS_MAX];
    size_t count = merge_callers(context, callers, lines);
    size_t top = kp_report_top(context, CALLERS_FIT);
    kp_emit_line(context->out, 0, "%s", "");
    kp_emit_table(context->out, "callers", columns, 3);
    for (size_t i = 0; i < count && i < top; i++) {
        struct kp_value row[] = {kp_amount(lines[i].calls), kp_amount(lines[i].converting_s),
                                 kp_texts(lines[i].where.text, lines[i].where.shorter)};
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
}

static void describe_entry(struct kp_report_context *context, const struct kp_entry *entry,
                           size_t number, size_t of)
{
    char label[256], calls[KP_FORMAT_BYTES], total[KP_FORMAT_BYTES], converting[KP_FORMAT_BYTES],
        wait[KP_FORMAT_BYTES], hold[KP_FORMAT_BYTES], live[KP_FORMAT_BYTES],
        retained[KP_FORMAT_BYTES + 32] = "";
    double bytes = entry->ways[0].retained.value + entry->ways[1].retained.value;
    if (bytes > 0)
        snprintf(retained, sizeof retained, "; %s of what it made is still live",
                 kp_format_size(live, bytes));
    kp_entry_label(entry, label, sizeof label);
    kp_emit_line(
        context->out, 2,
        "entry %zu of %zu: %s: %s calls took %s, %s of it converting; GIL waited for %s, held "
        "%s%s",
        number, of, label, kp_format_count(calls, entry->calls),
        kp_format_seconds(total, entry->total.value),
        kp_format_seconds(converting, entry->converting.value),
        kp_format_seconds(wait, entry->gil_wait_s), kp_format_seconds(hold, entry->gil_hold_s),
        retained);
}

void kp_conversions_one(struct kp_report_context *context, const struct kp_entries *entries,
                        const struct kp_callers *callers)
{
    size_t number = (size_t)context->options->entry;
    const struct kp_entry *entry = &entries->items[number - 1];
    struct kp_advice advice[KP_RULES];
    char text[KP_ADVICE_TEXT_BYTES];
    describe_entry(context, entry, number, entries->count);
    size_t count = kp_advise(entry, advice);
    for (size_t i = 0; i < count; i++)
        kp_emit_line(context->out, 2, "advice: %s", kp_advice_text(entry, &advice[i], text));
    kp_emit_line(context->out, 0, "%s", "");
    emit_apis(context, entry);
    emit_callers(context, callers);
    kp_report_next(context, "sites", "where memory is allocated, in conversions and outside");
}
