/* SPDX-License-Identifier: MIT */
/*
 * A database that we are to go on with must be exactly as we left it: its tables are compared with
 * those that a new one would have, and SQLite checks its pages. All this happens seldom, when a
 * collector was killed. As long as it is not decided, closing must not write the -wal back, and
 * what was not there before goes again.
 */
#include "store_look.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 10000

const char kp_store_schema[] =
#include "schema_sql.h"
    ;

void kp_store_session_name(char name[17], const struct kp_spool_header *header)
{
    snprintf(name, 17, "%016" PRIx64, header->session);
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* By its first bytes; SQLite is not asked before. An empty file is what a crash may leave. */
static enum kp_store_place look_at_bytes(const char *path)
{
    unsigned char head[100];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (file < 0)
        return errno == ENOENT ? KP_PLACE_FREE : KP_PLACE_FOREIGN;
    ssize_t got = read(file, head, sizeof head);
    close(file);
    if (got == 0)
        return KP_PLACE_FREE;
    return got == sizeof head && !memcmp(head, "SQLite format 3", 16) &&
                   big_endian(head + 68) == KP_APPLICATION_ID
               ? KP_PLACE_OURS
               : KP_PLACE_FOREIGN;
}

/* A finished recording of another session may be of any schema. */
static enum kp_store_place look_at_session(struct kp_store *store,
                                           const struct kp_spool_header *header)
{
    enum kp_store_place place = KP_PLACE_FOREIGN;
    sqlite3_stmt *query = NULL;
    char name[17];

    kp_store_session_name(name, header);
    if (sqlite3_prepare_v2(store->db, "SELECT session, finished FROM session", -1, &query, NULL) ==
            SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW) {
        const char *session = (const char *)sqlite3_column_text(query, 0);

        store->was_finished = sqlite3_column_int(query, 1) != 0;
        if (session && !strcmp(session, name))
            place = KP_PLACE_OURS;
        else if (store->was_finished)
            place = KP_PLACE_REPLACEABLE;
    }
    sqlite3_finalize(query);
    return place;
}

/* A text that two databases share exactly if they have the same tables, indexes and views. */
static bool read_schema(sqlite3 *db, char *text, size_t size)
{
    static const char sql[] = "SELECT coalesce(group_concat(type || name || tbl_name || "
                              "coalesce(sql, ''), char(10)), '') "
                              "FROM (SELECT * FROM sqlite_master ORDER BY type, name)";
    sqlite3_stmt *query = NULL;
    bool done = sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
                sqlite3_step(query) == SQLITE_ROW;

    if (done)
        snprintf(text, size, "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    return done;
}

#define SCHEMA_TEXT_BYTES 65536

static bool has_our_schema(sqlite3 *db)
{
    static char ours[SCHEMA_TEXT_BYTES], theirs[SCHEMA_TEXT_BYTES];
    sqlite3 *fresh = NULL;
    bool same = sqlite3_open(":memory:", &fresh) == SQLITE_OK &&
                sqlite3_exec(fresh, kp_store_schema, NULL, NULL, NULL) == SQLITE_OK &&
                read_schema(fresh, ours, sizeof ours) && read_schema(db, theirs, sizeof theirs) &&
                !strcmp(ours, theirs);

    sqlite3_close(fresh);
    return same;
}

static bool pragma_is(sqlite3 *db, const char *sql, const char *wanted)
{
    sqlite3_stmt *query = NULL;
    const char *value = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        value = (const char *)sqlite3_column_text(query, 0);
    bool is = value && !strcmp(value, wanted);
    sqlite3_finalize(query);
    return is;
}

/* What is told to be finished keeps nothing of the spool; what is not has no -wal, or is in that
 * mode. */
static bool is_in_order(struct kp_store *store)
{
    char version[16];

    snprintf(version, sizeof version, "%d", KP_STORE_SCHEMA);
    return pragma_is(store->db, "PRAGMA user_version", version) && has_our_schema(store->db) &&
           pragma_is(store->db, "PRAGMA quick_check(1)", "ok") &&
           (store->was_finished ? pragma_is(store->db, "SELECT count(*) FROM spool_cursor", "0")
                                : !store->had_wal ||
                                      pragma_is(store->db, "PRAGMA journal_mode", "wal"));
}

int kp_store_open_file(struct kp_store *store, const char *path, struct kp_error *error)
{
    int code = sqlite3_open_v2(
        path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code == SQLITE_OK)
        code = kp_sample_rows_register(store->db, &store->new_samples);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(store->db, LOCK_PATIENCE_MS);
        return 0;
    }
    kp_error_set(error, "cannot open %s: %s", path, sqlite3_errmsg(store->db));
    kp_store_close(store);
    return 1;
}

static bool exists_beside(const struct kp_store *store, const char *tail)
{
    char name[4200];

    snprintf(name, sizeof name, "%s%s", store->path, tail);
    return access(name, F_OK) == 0;
}

enum kp_store_place kp_store_look(struct kp_store *store, const struct kp_spool_header *header)
{
    enum kp_store_place place = look_at_bytes(store->path);
    struct kp_error ignored = {0};

    if (place != KP_PLACE_OURS)
        return place;
    store->had_shm = exists_beside(store, "-shm");
    store->had_wal = exists_beside(store, "-wal");
    if (kp_store_open_file(store, store->path, &ignored))
        return KP_PLACE_FOREIGN;
    kp_store_keep_as_is(store, true);
    place = look_at_session(store, header);
    if (place == KP_PLACE_OURS && !is_in_order(store))
        place = KP_PLACE_DAMAGED;
    if (place != KP_PLACE_OURS) {
        kp_store_close(store);
        store->is_untouched = false;
    }
    return place;
}
