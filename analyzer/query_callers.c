/* SPDX-License-Identifier: MIT */
/*
 * Who calls an entry into native code: the stacks of the activations that were drawn, those whose
 * calls convert longest first. One thread.
 */
#include "conversions.h"
#include "query_db.h"

#include <stdlib.h>

static const char *const caller_sql =
    "SELECT a.stack_id, sum(a.calls), sum(a.converting_s) FROM activation a "
    "JOIN entry e ON e.process_id = a.process_id AND e.entry = a.entry "
    "JOIN process p ON p.id = a.process_id LEFT JOIN module m ON m.id = e.module_id "
    "WHERE e.name = ?1 AND e.kind = ?2 AND coalesce(m.path, '') = ?3 AND (?4 = 0 OR p.pid = ?4) "
    "GROUP BY a.stack_id ORDER BY 3 DESC, 2 DESC, 1";

static int add_caller(sqlite3_stmt *st, struct kp_callers *callers)
{
    struct kp_caller *caller = kp_append(&callers->items, &callers->count, sizeof *caller);
    if (!caller)
        return -1;
    *caller = (struct kp_caller){
        .stack_id = sqlite3_column_int64(st, 0),
        .calls = kp_column_amount(st, 1),
        .converting_s = kp_column_amount(st, 2),
    };
    return 0;
}

int kp_query_callers(struct kp_query *query, const struct kp_filter *filter,
                     const struct kp_entry *entry, struct kp_callers *callers,
                     struct kp_error *error)
{
    *callers = (struct kp_callers){0};
    sqlite3_stmt *st = kp_query_prepare(query, caller_sql, error);
    int step = st ? 1 : -1;
    sqlite3_bind_text(st, 1, entry->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, entry->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, entry->module, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 4, filter->pid);
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1)
        if (add_caller(st, callers) != 0)
            step = kp_query_no_memory(error);
    sqlite3_finalize(st);
    return step;
}

void kp_callers_release(struct kp_callers *callers)
{
    free(callers->items);
    *callers = (struct kp_callers){0};
}
