/* SPDX-License-Identifier: MIT */
/*
 * Statements and transactions, see store.h. No fsync per commit: what must survive is a kill, not a
 * power cut.
 */
#include "store_look.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const statement_texts[KP_SQL_COUNT] = {
    [KP_SQL_SESSION] = "UPDATE session SET finished = ?1, lost_processes = ?2",
    [KP_SQL_PROCESS] = "INSERT OR REPLACE INTO process VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,"
                       "?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,"
                       "?29,?30,?31,?32,?33)",
    [KP_SQL_NOTE] = "INSERT INTO note VALUES (?1,?2)",
    [KP_SQL_THREAD] = "INSERT OR REPLACE INTO thread VALUES (?1,?2,?3,?4,?5,?6)",
    [KP_SQL_MODULE] = "INSERT INTO module VALUES (?1,?2,?3,'')",
    [KP_SQL_MODULE_SYMBOLS] = "UPDATE module SET symbols = ?2 WHERE id = ?1",
    [KP_SQL_CODE] = "INSERT INTO code VALUES (?1,?2,?3,?4)",
    [KP_SQL_LOCATION] = "INSERT INTO location VALUES (?1,?2,?3,?4)",
    [KP_SQL_FRAME] = "INSERT OR REPLACE INTO frame VALUES (?1,?2,?3,?4,?5,?6,?7)",
    [KP_SQL_STACK] = "INSERT INTO stack VALUES (?1,?2,?3)",
    [KP_SQL_SITE_NEW] = "INSERT INTO site VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,"
                        "?15,?16,?17,?18,?19,?20,?21,?22,?23)",
    [KP_SQL_SITE_CHANGE] =
        "UPDATE site SET samples=?2, allocated_bytes=?3, allocated_bytes_var=?4, "
        "allocated_bytes_max=?5, allocated_count=?6, allocated_count_var=?7, "
        "allocated_count_max=?8, live_samples=?9, live_bytes=?10, live_bytes_var=?11, "
        "live_bytes_max=?12, live_count=?13, live_count_var=?14, live_count_max=?15, "
        "rate_max=?16, first_s=?17, last_s=?18 WHERE id=?1",
    [KP_SQL_SAMPLES_NEW] = "INSERT INTO sample SELECT * FROM new_samples",
    [KP_SQL_SITE_THREAD] = "INSERT INTO site_thread VALUES (?1,?2,?3) ON CONFLICT DO UPDATE SET "
                           "samples = samples + excluded.samples",
    [KP_SQL_SAMPLE_SIZE] = "UPDATE sample SET size = ?2 WHERE id = ?1",
    [KP_SQL_SAMPLE_GONE] = "DELETE FROM sample WHERE id = ?1",
    [KP_SQL_DEPARTED] = "INSERT INTO departed VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
    [KP_SQL_DEPARTED_GONE] = "DELETE FROM departed WHERE process_id = ?1 "
                             "AND (freed_us < ?2 OR freed_iteration < ?3)",
    [KP_SQL_EVENT] = "INSERT INTO event VALUES (NULL,?1,?2,?3,?4,?5,?6)",
    [KP_SQL_LIFETIME] =
        "INSERT INTO lifetime VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT DO UPDATE SET "
        "samples = samples + excluded.samples, bytes = bytes + excluded.bytes, "
        "count = count + excluded.count",
    [KP_SQL_TIMELINE_CLEAR] = "DELETE FROM timeline WHERE process_id = ?1",
    [KP_SQL_TIMELINE] = "INSERT OR REPLACE INTO timeline VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    [KP_SQL_MEMORY] = "INSERT OR REPLACE INTO memory VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
    [KP_SQL_MEMORY_GONE] = "DELETE FROM memory WHERE process_id = ?1 AND time_s = ?2",
    [KP_SQL_MARK] = "INSERT OR REPLACE INTO mark VALUES (?1,?2,?3,?4,NULL,NULL,NULL,NULL,NULL,NULL,?5)",
    [KP_SQL_MARK_TOTALS] = "UPDATE mark SET rss=?3, malloc_used=?4, malloc_held=?5, "
                           "object_held=?6, object_used=?7, object_blocks=?8 "
                           "WHERE process_id = ?1 AND iteration = ?2",
    [KP_SQL_MARKS_GONE] = "DELETE FROM mark WHERE process_id = ?1 AND iteration % ?2 != 0",
    [KP_SQL_SNAPSHOT] = "INSERT OR REPLACE INTO snapshot VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,"
                        "?11,?12,?13,?14,?15,?16,?17)",
    [KP_SQL_ARENA] = "INSERT OR REPLACE INTO arena VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,"
                     "?13,?14,?15,?16)",
    [KP_SQL_OCCUPANCY] = "INSERT OR REPLACE INTO occupancy VALUES (?1,?2,?3,?4,?5,?6,?7)",
    [KP_SQL_WASTE] = "INSERT OR REPLACE INTO waste VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,"
                     "?13,?14,?15)",
    [KP_SQL_MAPPING] = "INSERT OR REPLACE INTO mapping VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    [KP_SQL_SNAPSHOTS_GONE] = "DELETE FROM snapshot WHERE process_id = ?1 AND number % ?2 != 0 "
                              "AND number NOT IN (?3, ?4)",
    [KP_SQL_ARENAS_GONE] = "DELETE FROM arena WHERE process_id = ?1 AND number % ?2 != 0 "
                           "AND number NOT IN (?3, ?4)",
    [KP_SQL_OCCUPANCY_GONE] = "DELETE FROM occupancy WHERE process_id = ?1 "
                              "AND number NOT IN (?2, ?3)",
    [KP_SQL_WASTE_GONE] = "DELETE FROM waste WHERE process_id = ?1 AND number NOT IN (?2, ?3)",
    [KP_SQL_MAPPING_GONE] = "DELETE FROM mapping WHERE process_id = ?1 AND number NOT IN (?2, ?3)",
    [KP_SQL_PHASE] = "INSERT OR REPLACE INTO phase VALUES (?1,?2,?3,?4,?5)",
    [KP_SQL_IMPORT] = "INSERT OR REPLACE INTO import VALUES (?1,?2,?3,?4,?5)",
    [KP_SQL_CONVERSION_STATE] =
        "INSERT OR REPLACE INTO conversion_state VALUES (?1,?2,?3,?4,?5,?6,?7)",
    [KP_SQL_ENTRY] = "INSERT OR REPLACE INTO entry VALUES (?1,?2,?3,?4,?5,?6)",
    [KP_SQL_CONVERSION] = "INSERT OR REPLACE INTO conversion VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [KP_SQL_ACTIVATION] =
        "INSERT OR REPLACE INTO activation VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
        "?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24)",
    [KP_SQL_CURSOR] = "INSERT OR REPLACE INTO spool_cursor VALUES (?1,?2)",
    [KP_SQL_CURSOR_GONE] = "DELETE FROM spool_cursor WHERE seq = ?1",
    [KP_SQL_CURSORS_GONE] = "DELETE FROM spool_cursor",
};

static void remove_beside(const struct kp_store *store, const char *tail)
{
    char name[4200];

    snprintf(name, sizeof name, "%s%s", store->path, tail);
    unlink(name);
}

void kp_store_close(struct kp_store *store)
{
    for (int i = 0; i < KP_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close(store->db);
    store->db = NULL;
    if (store->is_untouched && !store->had_shm)
        remove_beside(store, "-shm");
    if (store->is_untouched && !store->had_wal)
        remove_beside(store, "-wal");
}

void kp_store_keep_as_is(struct kp_store *store, bool as_is)
{
    store->is_untouched = as_is;
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, as_is, NULL);
}

static void note_failure(struct kp_store *store, int code)
{
    if (store->failure == SQLITE_OK)
        store->failure = code;
}

static sqlite3_stmt *statement(struct kp_store *store, enum kp_sql sql)
{
    if (!store->statements[sql]) {
        int code = sqlite3_prepare_v3(store->db, statement_texts[sql], -1,
                                      SQLITE_PREPARE_PERSISTENT, &store->statements[sql], NULL);
        if (code != SQLITE_OK)
            note_failure(store, code);
    }
    return store->statements[sql];
}

static void bind_next(sqlite3_stmt *to, int at, char type, va_list *values)
{
    const char *text;
    int64_t integer;
    double real;

    switch (type) {
    case 't':
        text = va_arg(*values, const char *);
        if (text)
            sqlite3_bind_text(to, at, text, -1, SQLITE_STATIC);
        else
            sqlite3_bind_null(to, at);
        break;
    case 'd':
    case 'D':
        real = va_arg(*values, double);
        if (type == 'D' && real < 0)
            sqlite3_bind_null(to, at);
        else
            sqlite3_bind_double(to, at, real);
        break;
    default:
        integer = va_arg(*values, int64_t);
        if ((type == 'I' && integer == 0) || (type == 'N' && integer < 0))
            sqlite3_bind_null(to, at);
        else
            sqlite3_bind_int64(to, at, integer);
        break;
    }
}

static void step(struct kp_store *store, sqlite3_stmt *prepared)
{
    int code = sqlite3_step(prepared);

    if (code != SQLITE_DONE)
        note_failure(store, code);
    sqlite3_reset(prepared);
}

void kp_store_run(struct kp_store *store, enum kp_sql sql, const char *types, ...)
{
    sqlite3_stmt *to = store->failure == SQLITE_OK ? statement(store, sql) : NULL;
    va_list values;

    if (!to)
        return;
    va_start(values, types);
    for (int at = 1; *types; at++, types++)
        bind_next(to, at, *types, &values);
    va_end(values);
    step(store, to);
}

void kp_store_write_samples(struct kp_store *store,
                            bool (*next)(void *context, struct kp_sample_row *row), void *context)
{
    sqlite3_stmt *insert =
        store->failure == SQLITE_OK ? statement(store, KP_SQL_SAMPLES_NEW) : NULL;

    store->new_samples = (struct kp_sample_rows){next, context};
    if (insert)
        step(store, insert);
}

static void execute(struct kp_store *store, const char *sql)
{
    if (store->failure != SQLITE_OK)
        return;
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        note_failure(store, code);
}

void kp_store_begin(struct kp_store *store)
{
    store->failure = SQLITE_OK;
    execute(store, "BEGIN IMMEDIATE");
}

/* SQLite tells a full disk in several ways, as it depends on which of its files had to grow. */
static bool is_full(const struct kp_store *store)
{
    int system = sqlite3_system_errno(store->db);

    switch (store->failure & 0xff) {
    case SQLITE_FULL: return true;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return system == ENOSPC || system == EDQUOT || system == EFBIG || system == 0;
    default: return false;
    }
}

int kp_store_commit(struct kp_store *store, struct kp_error *error)
{
    execute(store, "COMMIT");
    if (store->failure == SQLITE_OK) {
        kp_store_keep_as_is(store, false);
        return KP_STORE_OK;
    }
    bool full = is_full(store);
    char reason[256];
    snprintf(reason, sizeof reason, "%s", sqlite3_errstr(store->failure));
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    if (full) {
        kp_error_set(error, "cannot write %s: no space left on the device", store->path);
        return KP_STORE_FULL;
    }
    kp_error_set(error, "cannot write %s: %s", store->path, reason);
    return KP_STORE_FAILED;
}

void kp_store_shrink(struct kp_store *store)
{
    sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
}

sqlite3_stmt *kp_store_query(struct kp_store *store, const char *sql, struct kp_error *error)
{
    sqlite3_stmt *query = NULL;

    if (sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) != SQLITE_OK)
        kp_error_set(error, "cannot read %s: %s", store->path, sqlite3_errmsg(store->db));
    return query;
}

bool kp_store_next(struct kp_store *store, sqlite3_stmt *query, struct kp_error *error)
{
    int code = sqlite3_step(query);

    if (code != SQLITE_ROW && code != SQLITE_DONE)
        kp_error_set(error, "cannot read %s: %s", store->path, sqlite3_errmsg(store->db));
    return code == SQLITE_ROW;
}
