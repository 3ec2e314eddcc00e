/* SPDX-License-Identifier: MIT */
/*
 * Between emitter.c and the three writers behind it. Private to emitter*.c.
 */
#ifndef KP_EMITTER_BACKEND_H
#define KP_EMITTER_BACKEND_H

#include "emitter.h"

#define KP_NESTING_MAX 16

struct kp_text_row {
    char **cells;   /* two a column: the figure and what follows it; for free() */
    char **shorter; /* one a column, or NULL */
    char *under;    /* lines below it, or NULL */
};
struct kp_emitter {
    FILE *out;
    enum kp_format format;
    size_t width;
    const char *csv_table;
    bool begun;
    const struct kp_column *columns; /* of the open table */
    size_t column_count;
    bool table_in_csv;
    /* text */
    size_t lines;
    bool last_was_empty; /* one empty line sets things apart, two do not more */
    struct kp_text_row *rows;
    size_t row_count;
    /* JSON */
    int depth;
    bool filled[KP_NESTING_MAX]; /* something stands at this depth already: a comma is due */
    /* CSV */
    const char *path[KP_NESTING_MAX]; /* keys of the open objects */
};

void kp_text_line(struct kp_emitter *e, size_t indent, const char *text);
void kp_text_row(struct kp_emitter *e, const struct kp_value *values);
void kp_text_under(struct kp_emitter *e, const char *line);
void kp_text_table_end(struct kp_emitter *e);

void kp_json_begin(struct kp_emitter *e);
void kp_json_end(struct kp_emitter *e);
void kp_json_value(struct kp_emitter *e, const char *key, enum kp_type type,
                   const struct kp_value *value);
void kp_json_open(struct kp_emitter *e, const char *key, char bracket);
void kp_json_close(struct kp_emitter *e, char bracket);
void kp_json_row(struct kp_emitter *e, const struct kp_value *values);

void kp_csv_value(struct kp_emitter *e, const char *key, enum kp_type type,
                  const struct kp_value *value);
void kp_csv_header(struct kp_emitter *e);
void kp_csv_row(struct kp_emitter *e, const struct kp_value *values);

#endif
