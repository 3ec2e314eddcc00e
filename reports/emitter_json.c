/* SPDX-License-Identifier: MIT */
/*
 * JSON (RFC 8259): streamed, so that 200,000 sites need no memory; one row of a table to a line.
 * Numbers that are not finite become null, bytes that are no UTF-8 become U+FFFD. One thread.
 */
#include "emitter_backend.h"
#include "utf8.h"

#include <math.h>
#include <string.h>

static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    while (*text) {
        size_t length = kp_utf8_length(text);
        if (length == 0) {
            fputs("\\ufffd", out);
            length = 1;
        } else if (*text == '"' || *text == '\\') {
            fprintf(out, "\\%c", *text);
        } else if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            fprintf(out, "\\u%04x", (unsigned char)*text);
        } else {
            fwrite(text, 1, length, out);
        }
        text += length;
    }
    putc('"', out);
}

static void put_number(FILE *out, double number)
{
    if (!isfinite(number))
        fputs("null", out);
    else if (number == floor(number) && fabs(number) < 1e15)
        fprintf(out, "%.0f", number);
    else
        fprintf(out, "%.15g", number);
}

static void put_estimate(FILE *out, const struct kp_estimate *e)
{
    fputs("{\"value\": ", out);
    put_number(out, e->value);
    fputs(", \"low\": ", out);
    put_number(out, e->low);
    fputs(", \"high\": ", out);
    put_number(out, e->high);
    putc('}', out);
}

static void put_frame(FILE *out, const struct kp_frame *frame)
{
    fprintf(out, "{\"lang\": \"%s\", \"function\": ", frame->python ? "python" : "native");
    put_string(out, frame->function);
    fputs(", \"file\": ", out);
    put_string(out, frame->file);
    fprintf(out, ", \"line\": %lld, \"module\": ", (long long)frame->line);
    put_string(out, frame->module);
    fprintf(out, ", \"inlined\": %s, \"exact\": %s, \"interpreter\": %s}",
            frame->inlined ? "true" : "false", frame->exact ? "true" : "false",
            frame->interpreter ? "true" : "false");
}

static void put_stack(FILE *out, const struct kp_value *value)
{
    putc('[', out);
    for (size_t i = 0; i < value->frame_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_frame(out, &value->frames[i]);
    }
    putc(']', out);
}

/* JSON already, but for bytes that are no UTF-8. */
static void put_json(FILE *out, const char *text)
{
    while (*text) {
        size_t length = kp_utf8_length(text);
        if (length == 0)
            fputs("\\ufffd", out);
        else
            fwrite(text, 1, length, out);
        text += length ? length : 1;
    }
}

static void put_value(FILE *out, enum kp_type type, const struct kp_value *value)
{
    if (value->unknown) {
        fputs("null", out);
        return;
    }
    switch (type) {
    case KP_TYPE_TEXT: put_string(out, value->text); break;
    case KP_TYPE_BOOL: fputs(value->whole ? "true" : "false", out); break;
    case KP_TYPE_NUMBER:
    case KP_TYPE_WHOLE: fprintf(out, "%lld", (long long)value->whole); break;
    case KP_TYPE_BYTES_ESTIMATE:
    case KP_TYPE_COUNT_ESTIMATE:
    case KP_TYPE_SECONDS_ESTIMATE:
    case KP_TYPE_BYTES_BARE:
    case KP_TYPE_COUNT_BARE: put_estimate(out, &value->estimate); break;
    case KP_TYPE_STACK: put_stack(out, value); break;
    case KP_TYPE_LIST: put_json(out, value->text); break;
    case KP_TYPE_COUNT:
    case KP_TYPE_BYTES:
    case KP_TYPE_SECONDS:
    case KP_TYPE_RATE:
    case KP_TYPE_SHARE: put_number(out, value->amount); break;
    }
}

/* Comma, new line and indentation before the next thing at this depth. */
static void next_item(struct kp_emitter *e)
{
    if (e->depth > 0) {
        fputs(e->filled[e->depth] ? ",\n" : "\n", e->out);
        fprintf(e->out, "%*s", 2 * e->depth, "");
    }
    e->filled[e->depth] = true;
}

void kp_json_open(struct kp_emitter *e, const char *key, char bracket)
{
    next_item(e);
    if (key) {
        put_string(e->out, key);
        fputs(": ", e->out);
    }
    putc(bracket, e->out);
    if (e->depth + 1 < KP_NESTING_MAX)
        e->filled[++e->depth] = false;
}

void kp_json_close(struct kp_emitter *e, char bracket)
{
    bool filled = e->filled[e->depth--];
    if (filled)
        fprintf(e->out, "\n%*s", 2 * e->depth, "");
    putc(bracket, e->out);
}

void kp_json_begin(struct kp_emitter *e)
{
    kp_json_open(e, NULL, '{');
}

void kp_json_end(struct kp_emitter *e)
{
    kp_json_close(e, '}');
    putc('\n', e->out);
}

void kp_json_value(struct kp_emitter *e, const char *key, enum kp_type type,
                   const struct kp_value *value)
{
    next_item(e);
    put_string(e->out, key);
    fputs(": ", e->out);
    put_value(e->out, type, value);
}

/* "ratio.wall": the object "ratio" is opened by the first of the columns in a row that begin so.
 * Returns the rest of the key; *open is the object that is open (NULL: none). */
static const char *put_path(FILE *out, const char *key, const char **open, bool first)
{
    const char *dot = strchr(key, '.');
    size_t length = dot ? (size_t)(dot - key) : 0;
    bool stays = *open && dot && strncmp(*open, key, length + 1) == 0;
    if (*open && !stays)
        putc('}', out);
    fputs(first ? "" : ", ", out);
    if (dot && !stays) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)length, key);
        put_string(out, name);
        fputs(": {", out);
    }
    *open = dot ? key : NULL;
    return dot ? dot + 1 : key;
}

void kp_json_row(struct kp_emitter *e, const struct kp_value *values)
{
    const char *open = NULL;
    bool first = true;
    next_item(e);
    putc('{', e->out);
    for (size_t i = 0; i < e->column_count; i++) {
        if (!e->columns[i].key)
            continue;
        put_string(e->out, put_path(e->out, e->columns[i].key, &open, first));
        fputs(": ", e->out);
        put_value(e->out, e->columns[i].type, &values[i]);
        first = false;
    }
    fputs(open ? "}}" : "}", e->out);
}
