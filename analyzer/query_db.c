/* SPDX-License-Identifier: MIT */
/*
 * Statements and columns for the other query_*.c. A column is brought into range here, once: a
 * damaged or hand-made database may hold NULL, infinities, negative sizes or text where a number
 * belongs, and none of that may reach a report. One thread.
 */
#include "query_db.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX 1e30
#define WHOLE_MAX ((int64_t)1 << 48) /* sums of ten thousands of them stay in range */

int kp_query_fail(struct kp_query *query, struct kp_error *error)
{
    int code = sqlite3_errcode(query->db) & 0xff;
    const char *what = sqlite3_errmsg(query->db);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        kp_error_set(error, "%s is locked by another program; try again later", query->path);
    else if (code == SQLITE_READONLY) /* a journal would have to be rolled back */
        kp_error_set(error, "%s is not complete; let kprof-report finish it, without --no-wait",
                     query->path);
    else if (code == SQLITE_NOMEM)
        kp_query_no_memory(error);
    else if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        kp_error_set(error, "cannot read %s: %s", query->path, what);
    else
        kp_error_set(error, "%s is damaged (%s); record it again", query->path, what);
    return -1;
}

int kp_query_no_memory(struct kp_error *error)
{
    return -kp_error_set(error, "out of memory");
}

sqlite3_stmt *kp_query_prepare(struct kp_query *query, const char *sql, struct kp_error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(query->db, sql, -1, &statement, NULL) != SQLITE_OK)
        kp_query_fail(query, error);
    return statement;
}

int kp_query_step(struct kp_query *query, sqlite3_stmt *statement, struct kp_error *error)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW: return 1;
    case SQLITE_DONE: return 0;
    default: return kp_query_fail(query, error);
    }
}

int kp_query_rows(struct kp_query *query, const char *sql, int64_t pid, kp_row_reader *add,
                  void *to, struct kp_error *error)
{
    sqlite3_stmt *st = kp_query_prepare(query, sql, error);
    int step = st ? 1 : -1;
    if (st && sqlite3_bind_parameter_count(st) > 0)
        sqlite3_bind_int64(st, 1, pid);
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1)
        if (add(query, st, to) != 0)
            step = kp_query_no_memory(error);
    sqlite3_finalize(st);
    return step;
}

double kp_column_amount(sqlite3_stmt *statement, int column)
{
    double amount = sqlite3_column_double(statement, column);
    if (!(amount > 0))
        return 0;
    return fmin(amount, AMOUNT_MAX);
}

int64_t kp_column_whole(sqlite3_stmt *statement, int column)
{
    int64_t whole = sqlite3_column_int64(statement, column);
    if (whole < 0)
        return 0;
    return whole < WHOLE_MAX ? whole : WHOLE_MAX;
}

struct kp_sum kp_column_sum(sqlite3_stmt *statement, int column, int64_t samples, double gap,
                            double lost)
{
    return (struct kp_sum){.value = kp_column_amount(statement, column),
                           .variance = kp_column_amount(statement, column + 1),
                           .weight_max = kp_column_amount(statement, column + 2),
                           .gap = gap,
                           .samples = samples,
                           .lost = lost};
}

const char *kp_column_name(struct kp_query *query, sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return kp_names_add(&query->names, text ? text : "");
}

double kp_lost_per_sample(int64_t samples, int64_t lost_samples)
{
    return (double)lost_samples / (double)(samples > 0 ? samples : 1);
}

void *kp_grow(void *items, size_t count, size_t item_bytes)
{
    if (count != 0 && (count < 64 || (count & (count - 1)) != 0))
        return items;
    size_t capacity = count < 64 ? 64 : count * 2;
    return realloc(items, capacity * item_bytes);
}

void *kp_append(void *items, size_t *count, size_t item_bytes)
{
    void *held;
    memcpy(&held, items, sizeof held);
    char *grown = kp_grow(held, *count, item_bytes);
    if (!grown)
        return NULL;
    memcpy(items, &grown, sizeof grown);
    return grown + (*count)++ * item_bytes;
}
