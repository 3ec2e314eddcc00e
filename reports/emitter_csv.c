/* SPDX-License-Identifier: MIT */
/*
 * CSV (RFC 4180: CRLF, quotes doubled). A row is one line: control characters of a name become
 * U+FFFD. An estimate takes three columns, a stack one, innermost frame first. A report without a
 * table of its own becomes rows of key and value. One thread.
 */
#include "emitter_backend.h"
#include "utf8.h"

#include <math.h>
#include <string.h>

/* The inside of a quoted field. */
static void put_quoted(FILE *out, const char *text)
{
    while (*text) {
        size_t length = kp_utf8_length(text);
        if (length == 0 || kp_utf8_is_control(text))
            fputs(KP_UTF8_REPLACEMENT, out);
        else if (*text == '"')
            fputs("\"\"", out);
        else
            fwrite(text, 1, length, out);
        text += length ? length : 1;
    }
}

static void put_text(FILE *out, const char *text)
{
    bool plain = true;
    for (const char *p = text; *p && plain; p++)
        plain = !strchr("\",", *p) && !(*p & 0x80) && !kp_utf8_is_control(p);
    if (plain) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    put_quoted(out, text);
    putc('"', out);
}

static void put_number(FILE *out, double number)
{
    if (isfinite(number))
        fprintf(out, number == floor(number) && fabs(number) < 1e15 ? "%.0f" : "%.15g", number);
}

static void put_stack(FILE *out, const struct kp_value *value)
{
    putc('"', out);
    for (size_t i = 0; i < value->frame_count; i++) {
        const struct kp_frame *frame = &value->frames[i];
        fputs(i > 0 ? "; " : "", out);
        put_quoted(out, frame->function);
        if (*frame->file) {
            fputs(" (", out);
            put_quoted(out, frame->file);
            fprintf(out, ":%lld)", (long long)frame->line);
        }
    }
    putc('"', out);
}

static bool is_estimate(enum kp_type type)
{
    return type == KP_TYPE_BYTES_ESTIMATE || type == KP_TYPE_COUNT_ESTIMATE ||
           type == KP_TYPE_SECONDS_ESTIMATE ||
           type == KP_TYPE_BYTES_BARE || type == KP_TYPE_COUNT_BARE;
}

static void put_value(FILE *out, enum kp_type type, const struct kp_value *value)
{
    if (value->unknown)
        return;
    switch (type) {
    case KP_TYPE_TEXT:
    case KP_TYPE_LIST: put_text(out, value->text); break;
    case KP_TYPE_BOOL: fputs(value->whole ? "true" : "false", out); break;
    case KP_TYPE_NUMBER:
    case KP_TYPE_WHOLE: fprintf(out, "%lld", (long long)value->whole); break;
    case KP_TYPE_STACK: put_stack(out, value); break;
    default: put_number(out, is_estimate(type) ? value->estimate.value : value->amount); break;
    }
}

static void put_path(struct kp_emitter *e, const char *key, const char *end)
{
    for (int i = 0; i < e->depth; i++)
        fprintf(e->out, "%s.", e->path[i]);
    fprintf(e->out, "%s%s,", key, end);
}

void kp_csv_value(struct kp_emitter *e, const char *key, enum kp_type type,
                  const struct kp_value *value)
{
    put_path(e, key, is_estimate(type) ? ".value" : "");
    put_value(e->out, type, value);
    if (is_estimate(type)) {
        fputs("\r\n", e->out);
        put_path(e, key, ".low");
        put_number(e->out, value->estimate.low);
        fputs("\r\n", e->out);
        put_path(e, key, ".high");
        put_number(e->out, value->estimate.high);
    }
    fputs("\r\n", e->out);
}

void kp_csv_header(struct kp_emitter *e)
{
    bool first = true;
    for (size_t i = 0; i < e->column_count; i++) {
        const char *key = e->columns[i].key;
        if (!key)
            continue;
        fprintf(e->out, "%s%s", first ? "" : ",", key);
        if (is_estimate(e->columns[i].type))
            fprintf(e->out, ",%s_low,%s_high", key, key);
        first = false;
    }
    fputs("\r\n", e->out);
}

void kp_csv_row(struct kp_emitter *e, const struct kp_value *values)
{
    bool first = true;
    for (size_t i = 0; i < e->column_count; i++) {
        if (!e->columns[i].key)
            continue;
        fputs(first ? "" : ",", e->out);
        put_value(e->out, e->columns[i].type, &values[i]);
        if (is_estimate(e->columns[i].type)) {
            putc(',', e->out);
            put_number(e->out, values[i].estimate.low);
            putc(',', e->out);
            put_number(e->out, values[i].estimate.high);
        }
        first = false;
    }
    fputs("\r\n", e->out);
}
