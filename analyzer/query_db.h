/* SPDX-License-Identifier: MIT */
/*
 * What the query_*.c share: the open database, statements, and columns brought into range.
 * Private to them.
 */
#ifndef KP_QUERY_DB_H
#define KP_QUERY_DB_H

#include "query.h"
#include "query_names.h"

#include <sqlite3.h>

struct kp_stacks;

struct kp_query {
    sqlite3 *db;
    char *path;
    struct kp_names names;
    struct kp_stacks *stacks; /* NULL until loaded */
};

/* NULL with a message when it cannot be made. */
sqlite3_stmt *kp_query_prepare(struct kp_query *query, const char *sql, struct kp_error *error);
/* 1 a row, 0 the end, -1 failed. */
int kp_query_step(struct kp_query *query, sqlite3_stmt *statement, struct kp_error *error);
int kp_query_fail(struct kp_query *query, struct kp_error *error);
int kp_query_no_memory(struct kp_error *error);

/* Hands each row of a query to `add`, whose result other than 0 means that memory ran out. ?1 of
 * the query, if it has that, is `pid`. */
typedef int kp_row_reader(struct kp_query *query, sqlite3_stmt *statement, void *to);
int kp_query_rows(struct kp_query *query, const char *sql, int64_t pid, kp_row_reader *add,
                  void *to, struct kp_error *error);

/* A finite number in [0, 1e30]; a whole number in [0, 2^48]; a text that lives as long as the
 * query. */
double kp_column_amount(sqlite3_stmt *statement, int column);
int64_t kp_column_whole(sqlite3_stmt *statement, int column);
const char *kp_column_name(struct kp_query *query, sqlite3_stmt *statement, int column);

/* Columns: value, variance, largest weight. */
struct kp_sum kp_column_sum(sqlite3_stmt *statement, int column, int64_t samples, double gap,
                            double lost);

/* How many samples of a process were lost for each that is here; kp_sum.lost. */
double kp_lost_per_sample(int64_t samples, int64_t lost_samples);

/* Room for one more element in *items, which holds count of them; NULL without memory. */
void *kp_grow(void *items, size_t count, size_t item_bytes);
/* The same for the list whose pointer stands at `items`: its new last element, counted. */
void *kp_append(void *items, size_t *count, size_t item_bytes);

#endif
