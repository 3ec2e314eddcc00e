/* SPDX-License-Identifier: MIT */
/*
 * Whose database stands at the path, and making a new one. Nothing is written to a file before it
 * is known to be of this session; one of another session is only ever replaced by a rename.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 10000

static const char schema[] =
#include "schema_sql.h"
    ;

enum place { PLACE_FREE, PLACE_THIS_SESSION, PLACE_REPLACEABLE, PLACE_FOREIGN };

static void session_name(char name[17], const struct kp_spool_header *header)
{
    snprintf(name, 17, "%016" PRIx64, header->session);
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* By its first bytes; SQLite is not asked before. An empty file is what a crash may leave. */
static enum place look_at_bytes(const char *path)
{
    unsigned char head[100];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (file < 0)
        return errno == ENOENT ? PLACE_FREE : PLACE_FOREIGN;
    ssize_t got = read(file, head, sizeof head);
    close(file);
    if (got == 0)
        return PLACE_FREE;
    return got == sizeof head && !memcmp(head, "SQLite format 3", 16) &&
                   big_endian(head + 68) == KP_APPLICATION_ID
               ? PLACE_THIS_SESSION
               : PLACE_FOREIGN;
}

/* One of ours: of this session? */
static enum place look_at_session(struct kp_store *store, const struct kp_spool_header *header)
{
    enum place place = PLACE_FOREIGN;
    sqlite3_stmt *query = NULL;
    char name[17];

    session_name(name, header);
    if (sqlite3_prepare_v2(store->db,
                           "SELECT session, finished, (SELECT user_version FROM pragma_user_version) "
                           "FROM session",
                           -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW) {
        const char *session = (const char *)sqlite3_column_text(query, 0);
        store->was_finished = sqlite3_column_int(query, 1) != 0;
        if (session && !strcmp(session, name) && sqlite3_column_int(query, 2) == KP_STORE_SCHEMA)
            place = PLACE_THIS_SESSION;
        else if (store->was_finished)
            place = PLACE_REPLACEABLE;
    }
    sqlite3_finalize(query);
    return place;
}

static int open_file(struct kp_store *store, const char *path, struct kp_error *error)
{
    int code = sqlite3_open_v2(path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(store->db, LOCK_PATIENCE_MS);
        return 0;
    }
    kp_error_set(error, "cannot open %s: %s", path, sqlite3_errmsg(store->db));
    kp_store_close(store);
    return 1;
}

static enum place look(struct kp_store *store, const struct kp_spool_header *header)
{
    enum place place = look_at_bytes(store->path);
    struct kp_error ignored = {0};

    if (place != PLACE_THIS_SESSION)
        return place;
    if (open_file(store, store->path, &ignored))
        return PLACE_FOREIGN;
    place = look_at_session(store, header);
    if (place != PLACE_THIS_SESSION)
        kp_store_close(store);
    return place;
}

static void remove_beside(const char *path, const char *const *tails)
{
    char name[4200];

    for (; *tails; tails++) {
        snprintf(name, sizeof name, "%s%s", path, *tails);
        unlink(name);
    }
}

/* What SQLite leaves beside a file that has been deleted under it. */
static const char *const beside[] = {"-wal", "-shm", "-journal", NULL};

void kp_store_remove(const char *path)
{
    remove_beside(path, beside);
    unlink(path);
}

static int fill(struct kp_store *store, const struct kp_spool_header *header,
                struct kp_error *error)
{
    char sql[1024], session[17];
    uint64_t spool_bytes =
        4096u + (uint64_t)header->directory_bytes + (uint64_t)header->chunk_count * KP_CHUNK_BYTES;

    session_name(session, header);
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %u; PRAGMA user_version = %d;"
             "INSERT INTO session VALUES (1, '%s', '" KP_VERSION "', %.9f, 0, 0, %" PRIu64 ");"
             "COMMIT; PRAGMA journal_mode = WAL;",
             KP_APPLICATION_ID, KP_STORE_SCHEMA, session,
             (double)header->start_realtime_ns / 1e9, spool_bytes);
    if (sqlite3_exec(store->db, "PRAGMA journal_mode = OFF; BEGIN", NULL, NULL, NULL) ||
        sqlite3_exec(store->db, schema, NULL, NULL, NULL) ||
        sqlite3_exec(store->db, sql, NULL, NULL, NULL)) {
        bool full = sqlite3_errcode(store->db) == SQLITE_FULL;
        kp_error_set(error, "cannot create %s: %s", store->path, sqlite3_errmsg(store->db));
        return full ? KP_STORE_FULL : KP_STORE_FAILED;
    }
    return KP_STORE_OK;
}

static int move_into_place(struct kp_store *store, const char *made, bool replace,
                           struct kp_error *error)
{
    remove_beside(store->path, beside);
    if (replace ? !rename(made, store->path)
                : !renameat2(AT_FDCWD, made, AT_FDCWD, store->path, RENAME_NOREPLACE) ||
                      ((errno == EINVAL || errno == ENOSYS) && !rename(made, store->path)))
        return KP_STORE_OK;
    kp_error_set(error, "cannot create %s: %s", store->path, strerror(errno));
    return KP_STORE_FAILED;
}

static int create(struct kp_store *store, const struct kp_spool_header *header, bool replace,
                  struct kp_error *error)
{
    char made[4100];

    snprintf(made, sizeof made, "%s-new", store->path);
    kp_store_remove(made);
    if (open_file(store, made, error))
        return KP_STORE_FAILED;
    int status = fill(store, header, error);
    kp_store_close(store);
    if (status == KP_STORE_OK)
        status = move_into_place(store, made, replace, error);
    if (status != KP_STORE_OK)
        kp_store_remove(made);
    return status;
}

int kp_store_open(struct kp_store *store, const char *path, const struct kp_spool_header *header,
                  struct kp_error *error)
{
    struct stat status;

    memset(store, 0, sizeof *store);
    snprintf(store->path, sizeof store->path, "%s", path);
    enum place place = look(store, header);
    if (place == PLACE_FOREIGN)
        return kp_error_set(error, "%s is not the database of this recording; move it away", path);
    if (place != PLACE_THIS_SESSION) {
        store->was_finished = false;
        bool replace = place == PLACE_REPLACEABLE || !stat(path, &status);
        int made = create(store, header, replace, error);
        if (made != KP_STORE_OK)
            return made;
        store->was_created = true;
        if (open_file(store, path, error))
            return KP_STORE_FAILED;
    }
    if (store->was_finished)
        return KP_STORE_OK;
    if (sqlite3_exec(store->db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                     "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536;"
                     "PRAGMA temp_store = MEMORY",
                     NULL, NULL, NULL) == SQLITE_OK)
        return KP_STORE_OK;
    kp_error_set(error, "cannot write %s: %s", path, sqlite3_errmsg(store->db));
    int failed = sqlite3_errcode(store->db) == SQLITE_FULL ? KP_STORE_FULL : KP_STORE_FAILED;
    kp_store_close(store);
    return failed;
}

/* Readers may hold it open in WAL mode: the busy handler does not help there, so try for a while. */
int kp_store_finish(struct kp_store *store, struct kp_error *error)
{
    char *message = NULL;
    int code = SQLITE_OK;

    for (int i = 0; i < KP_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    for (int tries = 0; tries < 100; tries++) {
        code = sqlite3_exec(store->db, "PRAGMA journal_mode = DELETE", NULL, NULL, &message);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED)
            break;
        sqlite3_free(message);
        message = NULL;
        usleep(50000);
    }
    if (code != SQLITE_OK)
        kp_error_set(error, "cannot close %s: %s", store->path, message ? message : "in use");
    sqlite3_free(message);
    kp_store_close(store);
    return code != SQLITE_OK;
}
