/* SPDX-License-Identifier: MIT */
/*
 * Making a new database, opening ours, and leaving one file at the end. Nothing is written to a
 * file before it is known to be of this session; one of another session is only ever replaced by a
 * rename.
 */
#include "store_look.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

    kp_store_session_name(session, header);
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %u; PRAGMA user_version = %d;"
             "INSERT INTO session VALUES (1, '%s', '" KP_VERSION "', %.9f, 0, 0, %" PRIu64 ");"
             "COMMIT",
             KP_APPLICATION_ID, KP_STORE_SCHEMA, session,
             (double)header->start_realtime_ns / 1e9, spool_bytes);
    if (sqlite3_exec(store->db, "PRAGMA journal_mode = OFF; BEGIN", NULL, NULL, NULL) ||
        sqlite3_exec(store->db, kp_store_schema, NULL, NULL, NULL) ||
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
    if (kp_store_open_file(store, made, error))
        return KP_STORE_FAILED;
    int status = fill(store, header, error);
    kp_store_close(store);
    if (status == KP_STORE_OK)
        status = move_into_place(store, made, replace, error);
    if (status != KP_STORE_OK)
        kp_store_remove(made);
    return status;
}

/* In the place of nothing, of an empty file, or of a finished recording. */
static int make(struct kp_store *store, const struct kp_spool_header *header,
                struct kp_error *error)
{
    struct stat status;
    bool replace = stat(store->path, &status) == 0;
    int made = create(store, header, replace, error);

    store->was_finished = false;
    if (made != KP_STORE_OK)
        return made;
    store->was_created = true;
    return kp_store_open_file(store, store->path, error) ? KP_STORE_FAILED : KP_STORE_OK;
}

/* With a rollback journal a new page is written once, to its place; with a WAL twice, but reports
 * can read meanwhile. Without readers an fsync would only be for a power cut: there is one at the
 * end. */
static const char *const modes[] = {
    [KP_STORE_READ] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
    [KP_STORE_ALONE] = "PRAGMA synchronous = OFF",
};

static int prepare(struct kp_store *store, enum kp_store_readers readers, struct kp_error *error)
{
    if (sqlite3_exec(store->db, modes[readers], NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(store->db,
                     "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536;"
                     "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF",
                     NULL, NULL, NULL) == SQLITE_OK)
        return KP_STORE_OK;
    kp_error_set(error, "cannot write %s: %s", store->path, sqlite3_errmsg(store->db));
    int failed = sqlite3_errcode(store->db) == SQLITE_FULL ? KP_STORE_FULL : KP_STORE_FAILED;
    kp_store_close(store);
    return failed;
}

int kp_store_open(struct kp_store *store, const char *path, const struct kp_spool_header *header,
                  enum kp_store_readers readers, struct kp_error *error)
{
    memset(store, 0, sizeof *store);
    snprintf(store->path, sizeof store->path, "%s", path);
    enum kp_store_place place = kp_store_look(store, header);
    if (place == KP_PLACE_FOREIGN)
        return kp_error_set(error, "%s is not the database of this recording; move it away", path);
    if (place == KP_PLACE_DAMAGED)
        return kp_error_set(
            error, "%s is damaged; move it away and what the spool still has can be read", path);
    if (place != KP_PLACE_OURS) {
        int made = make(store, header, error);
        if (made != KP_STORE_OK)
            return made;
    }
    return store->was_finished ? KP_STORE_OK : prepare(store, readers, error);
}

/* What was written without a reader has not been told to the disk yet. */
static int sync_file(const struct kp_store *store, struct kp_error *error)
{
    int file = open(store->path, O_RDONLY | O_CLOEXEC);
    int wrong = file < 0 || fdatasync(file) ? errno : 0;

    if (file >= 0)
        close(file);
    return wrong ? kp_error_set(error, "cannot write %s: %s", store->path, strerror(wrong)) : 0;
}

/* Readers may hold it open in WAL mode: the busy handler does not help there, so try again. */
int kp_store_finish(struct kp_store *store, struct kp_error *error)
{
    char *message = NULL;
    int code = SQLITE_OK;

    kp_store_keep_as_is(store, false);
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
    return code != SQLITE_OK || sync_file(store, error);
}
