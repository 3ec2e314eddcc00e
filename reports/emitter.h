/* SPDX-License-Identifier: MIT */
/*
 * The one way out: a report says every figure once, and the emitter writes it as text, JSON or CSV,
 * so that the three cannot disagree. Named values (kp_emit_value and its short forms) appear in
 * JSON, and in the CSV of a report that has no table of its own; lines are text only; tables appear
 * in all three. Names may hold any bytes: the output is valid UTF-8 on one line all the same.
 * One thread.
 */
#ifndef KP_EMITTER_H
#define KP_EMITTER_H

#include "query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum kp_format { KP_FORMAT_TEXT, KP_FORMAT_JSON, KP_FORMAT_CSV };

enum kp_type {
    KP_TYPE_TEXT,
    KP_TYPE_BOOL,
    KP_TYPE_NUMBER, /* a name that is a number: a pid, a rank */
    KP_TYPE_WHOLE,  /* an exact count */
    KP_TYPE_COUNT,  /* a count that is estimated */
    KP_TYPE_BYTES,
    KP_TYPE_SECONDS,
    KP_TYPE_RATE, /* bytes, read as KiB */
    KP_TYPE_SHARE,
    KP_TYPE_BYTES_ESTIMATE,
    KP_TYPE_COUNT_ESTIMATE,
    KP_TYPE_SECONDS_ESTIMATE,
    KP_TYPE_BYTES_BARE, /* an estimate, in text without its spread */
    KP_TYPE_COUNT_BARE,
    KP_TYPE_STACK,
    KP_TYPE_LIST, /* text that is a JSON list or object: in JSON what it is, elsewhere as it stands */
};

struct kp_value {
    bool unknown;               /* null in JSON, empty elsewhere */
    const char *text, *shorter; /* shorter: what a narrow terminal gets, may be NULL */
    int64_t whole;              /* NUMBER, WHOLE, BOOL */
    double amount;              /* COUNT, BYTES, SECONDS, RATE, SHARE */
    struct kp_estimate estimate;
    const struct kp_frame *frames; /* STACK, innermost first */
    size_t frame_count;
};
struct kp_value kp_unknown(void);
struct kp_value kp_text(const char *text);
struct kp_value kp_texts(const char *text, const char *shorter);
struct kp_value kp_whole(int64_t whole);
struct kp_value kp_amount(double amount);
struct kp_value kp_estimated(struct kp_estimate estimate);
struct kp_value kp_sum_value(const struct kp_sum *sum);
struct kp_value kp_stack(const struct kp_frame *frames, size_t count);

struct kp_column {
    const char *key;   /* in JSON and CSV; NULL: text only. "a.b": b in the object a of the row */
    const char *title; /* in text; NULL: not in text */
    enum kp_type type;
};

struct kp_emitter;

/* width: columns of the text, 0 for no limit. csv_table: the table that CSV is of, NULL for the
 * named values. Nothing is written before the first figure, so that a report that fails at once
 * leaves stdout empty. */
struct kp_emitter *kp_emitter_new(FILE *out, enum kp_format format, size_t width,
                                  const char *csv_table);
/* Ends the document when it is complete. 0, or -1 when not everything could be written. */
int kp_emitter_close(struct kp_emitter *e, bool complete);

bool kp_emitter_is_text(const struct kp_emitter *e);
size_t kp_emitter_lines(const struct kp_emitter *e); /* of text, so far */
size_t kp_emitter_width(const struct kp_emitter *e);

/* A line of text, wrapped at the width; what follows the first line is indented. */
void kp_emit_line(struct kp_emitter *e, size_t indent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void kp_emit_value(struct kp_emitter *e, const char *key, enum kp_type type, struct kp_value value);
void kp_emit_object(struct kp_emitter *e, const char *key);
void kp_emit_object_end(struct kp_emitter *e);

/* The columns must outlive the table. One value for each column in each row. */
void kp_emit_table(struct kp_emitter *e, const char *key, const struct kp_column *columns,
                   size_t count);
void kp_emit_row(struct kp_emitter *e, const struct kp_value *values);
/* A line of text below the last row, indented. */
void kp_emit_under(struct kp_emitter *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void kp_emit_table_end(struct kp_emitter *e);

#endif
