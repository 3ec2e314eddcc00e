/* SPDX-License-Identifier: MIT */
/*
 * Sends what a report says to the writer of the chosen format. No report knows which one that is,
 * but for lines that only a reader needs. One thread.
 */
#include "emitter_backend.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct kp_value kp_unknown(void)
{
    return (struct kp_value){.unknown = true};
}

struct kp_value kp_text(const char *text)
{
    return (struct kp_value){.text = text};
}

struct kp_value kp_texts(const char *text, const char *shorter)
{
    return (struct kp_value){.text = text, .shorter = shorter};
}

struct kp_value kp_whole(int64_t whole)
{
    return (struct kp_value){.whole = whole};
}

struct kp_value kp_amount(double amount)
{
    return (struct kp_value){.amount = amount};
}

struct kp_value kp_estimated(struct kp_estimate estimate)
{
    return (struct kp_value){.estimate = estimate};
}

struct kp_value kp_sum_value(const struct kp_sum *sum)
{
    return kp_estimated(kp_estimate_of(sum));
}

struct kp_value kp_stack(const struct kp_frame *frames, size_t count)
{
    return (struct kp_value){.frames = frames, .frame_count = count};
}

struct kp_emitter *kp_emitter_new(FILE *out, enum kp_format format, size_t width,
                                  const char *csv_table)
{
    struct kp_emitter *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->out = out;
    e->format = format;
    e->width = width;
    e->csv_table = csv_table;
    return e;
}

/* The beginning of the document, before the first thing in it. */
static void begin(struct kp_emitter *e)
{
    if (e->begun)
        return;
    e->begun = true;
    if (e->format == KP_FORMAT_JSON)
        kp_json_begin(e);
    else if (e->format == KP_FORMAT_CSV && !e->csv_table)
        fputs("key,value\r\n", e->out);
}

int kp_emitter_close(struct kp_emitter *e, bool complete)
{
    if (complete)
        begin(e);
    if (complete && e->format == KP_FORMAT_JSON)
        kp_json_end(e);
    int failed = fflush(e->out) != 0 || ferror(e->out);
    free(e);
    return failed ? -1 : 0;
}

bool kp_emitter_is_text(const struct kp_emitter *e)
{
    return e->format == KP_FORMAT_TEXT;
}

size_t kp_emitter_lines(const struct kp_emitter *e)
{
    return e->lines;
}

size_t kp_emitter_width(const struct kp_emitter *e)
{
    return e->width;
}

void kp_emit_line(struct kp_emitter *e, size_t indent, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    if (e->format != KP_FORMAT_TEXT)
        return;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        kp_text_line(e, indent, text);
    va_end(arguments);
    free(text);
}

void kp_emit_value(struct kp_emitter *e, const char *key, enum kp_type type, struct kp_value value)
{
    begin(e);
    if (e->format == KP_FORMAT_JSON)
        kp_json_value(e, key, type, &value);
    else if (e->format == KP_FORMAT_CSV && !e->csv_table)
        kp_csv_value(e, key, type, &value);
}

void kp_emit_object(struct kp_emitter *e, const char *key)
{
    begin(e);
    if (e->format == KP_FORMAT_JSON)
        kp_json_open(e, key, '{');
    else if (e->depth < KP_NESTING_MAX)
        e->path[e->depth++] = key;
}

void kp_emit_object_end(struct kp_emitter *e)
{
    if (e->format == KP_FORMAT_JSON)
        kp_json_close(e, '}');
    else if (e->depth > 0)
        e->depth--;
}

void kp_emit_table(struct kp_emitter *e, const char *key, const struct kp_column *columns,
                   size_t count)
{
    begin(e);
    e->columns = columns;
    e->column_count = count;
    e->table_in_csv = e->csv_table && strcmp(e->csv_table, key) == 0;
    if (e->format == KP_FORMAT_JSON)
        kp_json_open(e, key, '[');
    else if (e->format == KP_FORMAT_CSV && e->table_in_csv)
        kp_csv_header(e);
}

void kp_emit_row(struct kp_emitter *e, const struct kp_value *values)
{
    if (e->format == KP_FORMAT_JSON)
        kp_json_row(e, values);
    else if (e->format == KP_FORMAT_TEXT)
        kp_text_row(e, values);
    else if (e->table_in_csv)
        kp_csv_row(e, values);
}

void kp_emit_under(struct kp_emitter *e, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    if (e->format != KP_FORMAT_TEXT)
        return;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        kp_text_under(e, text);
    va_end(arguments);
    free(text);
}

void kp_emit_table_end(struct kp_emitter *e)
{
    if (e->format == KP_FORMAT_JSON)
        kp_json_close(e, ']');
    else if (e->format == KP_FORMAT_TEXT)
        kp_text_table_end(e);
    e->columns = NULL;
    e->column_count = 0;
}
