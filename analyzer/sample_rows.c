/* SPDX-License-Identifier: MIT */
/*
 * The virtual table behind sample_rows.h, as small as SQLite lets it be: it can only be read from
 * its first row to its last, once.
 */
#include "sample_rows.h"

#include <stdlib.h>

struct table {
    sqlite3_vtab base;
    struct kp_sample_rows *rows;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct kp_sample_row row;
    bool is_at_end;
};

static int connect(sqlite3 *db, void *rows, int argc, const char *const *argv, sqlite3_vtab **made,
                   char **error)
{
    struct table *table = calloc(1, sizeof *table);

    (void)argc;
    (void)argv;
    (void)error;
    if (!table)
        return SQLITE_NOMEM;
    table->rows = rows;
    *made = &table->base;
    return sqlite3_declare_vtab(db, "CREATE TABLE x(id, site_id, thread_id, shim_id, size, weight, "
                                    "address, born_us, born_iteration)");
}

static int disconnect(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 1e6;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **made)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);

    (void)table;
    *made = (sqlite3_vtab_cursor *)cursor;
    return cursor ? SQLITE_OK : SQLITE_NOMEM;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    const struct kp_sample_rows *rows = ((struct table *)base->pVtab)->rows;

    cursor->is_at_end = !rows->next(rows->context, &cursor->row);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *cursor, int number, const char *name, int argc,
                  sqlite3_value **argv)
{
    (void)number;
    (void)name;
    (void)argc;
    (void)argv;
    return next(cursor);
}

static int is_at_end(sqlite3_vtab_cursor *cursor)
{
    return ((struct cursor *)cursor)->is_at_end;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *result, int number)
{
    const struct kp_sample_row *row = &((struct cursor *)base)->row;

    switch (number) {
    case 0: sqlite3_result_int64(result, row->id); break;
    case 1: sqlite3_result_int64(result, row->site); break;
    case 2: sqlite3_result_int64(result, row->thread); break;
    case 3: sqlite3_result_int64(result, row->shim_id); break;
    case 4: sqlite3_result_int64(result, row->size); break;
    case 5: sqlite3_result_double(result, row->weight); break;
    case 6: sqlite3_result_int64(result, row->address); break;
    case 7: sqlite3_result_int64(result, row->born_us); break;
    default: sqlite3_result_int64(result, row->born_iteration); break;
    }
    return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
    *id = ((struct cursor *)cursor)->row.id;
    return SQLITE_OK;
}

/* Without xCreate it is there by its name alone. */
static const sqlite3_module module = {
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = is_at_end,
    .xColumn = column,
    .xRowid = row_id,
};

int kp_sample_rows_register(sqlite3 *db, struct kp_sample_rows *rows)
{
    return sqlite3_create_module(db, "new_samples", &module, rows);
}
