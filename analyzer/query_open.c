/* SPDX-License-Identifier: MIT */
/*
 * Opening a database so that nothing happens to it. What the file is, is decided from its first
 * 100 bytes before SQLite touches it. A finished database (rollback journal) opens with mode=ro,
 * which makes no file beside it. One in WAL mode that has lost its -wal opens as immutable, because
 * SQLite would make a -shm for it; one with a -wal that nobody uses is opened for us alone, without
 * locks, so that SQLite keeps in memory what would be in the -shm. Only one that a collector is
 * writing right now is opened as a WAL, beside the -wal and -shm that are there. One thread.
 */
#include "ab_store.h"
#include "query_db.h"
#include "query_stacks.h"
#include "record.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 100
#define VALUE_MAX_BYTES (16 << 20)
#define QUICK_CHECK_MAX_BYTES (16 << 20) /* about 20 ms; a larger one tells while it is read */

/* 0 with what there is of the header, the rest zero. */
static int read_header(const char *path, unsigned char header[HEADER_BYTES], struct stat *st,
                       struct kp_error *error)
{
    if (stat(path, st) != 0)
        return errno == ENOENT ? -kp_error_set(error, "no such file: %s", path)
                               : -kp_error_set(error, "cannot open %s: %s", path, strerror(errno));
    if (S_ISDIR(st->st_mode))
        return -kp_error_set(error, "%s is a directory; name a database", path);
    if (!S_ISREG(st->st_mode))
        return -kp_error_set(error, "%s is not a regular file; name a database", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -kp_error_set(error, "cannot open %s: %s", path, strerror(errno));
    memset(header, 0, HEADER_BYTES);
    ssize_t got = pread(fd, header, HEADER_BYTES, 0);
    int read_errno = errno;
    close(fd);
    return got < 0 ? -kp_error_set(error, "cannot read %s: %s", path, strerror(read_errno)) : 0;
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int check_numbers(const char *path, uint32_t application, int64_t schema,
                         struct kp_error *error)
{
    if (application == KP_AB_APPLICATION_ID)
        return -kp_error_set(error, "%s is a comparison of kprof-ab; see it with: kprof-ab -o %s",
                             path, path);
    if (application != KP_APPLICATION_ID)
        return -kp_error_set(error, "%s is a database of another program, not of kprof", path);
    if (schema > KP_STORE_SCHEMA)
        return -kp_error_set(
            error, "%s has schema %lld, this kprof knows up to %d; use a newer kprof-report", path,
            (long long)schema, KP_STORE_SCHEMA);
    if (schema > 0 && schema < KP_STORE_SCHEMA)
        return -kp_error_set(error, "%s was made by an older version of kprof; record again", path);
    if (schema < 1)
        return -kp_error_set(error, "%s is damaged (schema %lld); record it again", path,
                             (long long)schema);
    return 0;
}

static int spool_named(const char *path, struct kp_error *error)
{
    size_t length = strlen(path), suffix = strlen("-spool");
    if (length <= suffix || strcmp(path + length - suffix, "-spool") != 0)
        return -kp_error_set(error, "%s is a spool; name the database that it belongs to", path);
    return -kp_error_set(error, "%s is a spool; name its database: kprof-report %.*s", path,
                         (int)(length - suffix), path);
}

/* What the file is, from its first bytes. */
static int check_header(const char *path, const unsigned char *header, const struct stat *st,
                        bool wal, struct kp_error *error)
{
    uint64_t magic;
    memcpy(&magic, header, sizeof magic);
    if (st->st_size == 0)
        return -kp_error_set(error, "%s is empty, not a kprof database", path);
    if (magic == KP_SPOOL_MAGIC)
        return spool_named(path, error);
    if (memcmp(header, "SQLite format 3", 16) != 0)
        return -kp_error_set(error, "%s is not a kprof database", path);
    if (wal)
        return 0; /* the numbers may stand in the -wal still */
    return check_numbers(path, big_endian(header + 68), (int32_t)big_endian(header + 60), error);
}

/* How to open it so that nothing appears beside it. */
enum way { WAY_FILE, WAY_IMMUTABLE, WAY_LONE_WAL };

/* file:PATH with what SQLite would take for syntax escaped; NULL without memory. */
static char *uri_of(const char *path, enum way way)
{
    static const char *const parameters[] = {
        "?mode=ro", "?mode=ro&immutable=1", "?mode=ro&vfs=unix-none"};
    char *uri = malloc(strlen(path) * 3 + 64);
    if (!uri)
        return NULL;
    char *to = uri + sprintf(uri, "file:%s", *path == '/' ? "//" : "");
    for (; *path; path++)
        to += strchr("%?#", *path) ? sprintf(to, "%%%02X", *path) : sprintf(to, "%c", *path);
    strcpy(to, parameters[way]);
    return uri;
}

static int64_t pragma_number(struct kp_query *query, const char *sql, struct kp_error *error)
{
    sqlite3_stmt *statement = kp_query_prepare(query, sql, error);
    int64_t number = -1;
    if (statement && kp_query_step(query, statement, error) == 1)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static int quick_check(struct kp_query *query, struct kp_error *error)
{
    sqlite3_stmt *statement = kp_query_prepare(query, "PRAGMA quick_check(1)", error);
    int result = statement ? kp_query_step(query, statement, error) : -1;
    if (result == 1) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);
        result = said && strcmp(said, "ok") == 0
                     ? 0
                     : -kp_error_set(error, "%s is damaged (%s); record it again", query->path,
                                     said ? said : "no answer");
    }
    sqlite3_finalize(statement);
    return result;
}

/* A view in place of one of our tables could go on for ever. */
static int refuse_views(void *unused, int action, const char *table, const char *column,
                        const char *database, const char *view)
{
    (void)unused;
    (void)action;
    (void)table;
    (void)column;
    (void)database;
    return view ? SQLITE_DENY : SQLITE_OK;
}

/* What a file made to do harm could use against us. */
static void distrust(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_set_authorizer(db, refuse_views, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
}

static int open_database(struct kp_query *query, enum way way, struct kp_error *error)
{
    char *uri = uri_of(query->path, way);
    if (!uri)
        return kp_query_no_memory(error);
    int code = sqlite3_open_v2(uri, &query->db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    free(uri);
    if (code != SQLITE_OK)
        return query->db ? kp_query_fail(query, error) : kp_query_no_memory(error);
    sqlite3_busy_timeout(query->db, 5000);
    distrust(query->db);
    sqlite3_db_config(query->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (way == WAY_LONE_WAL)
        sqlite3_exec(query->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
    sqlite3_exec(query->db, "PRAGMA cell_size_check = ON; PRAGMA cache_size = -65536", NULL, NULL,
                 NULL);
    return 0;
}

/* One snapshot for all questions, so that a collector at work cannot make them disagree. */
static int check_content(struct kp_query *query, const struct stat *st, struct kp_error *error)
{
    if (sqlite3_exec(query->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return kp_query_fail(query, error);
    int64_t application = pragma_number(query, "PRAGMA application_id", error);
    int64_t schema = application < 0 ? -1 : pragma_number(query, "PRAGMA user_version", error);
    if (application < 0 || schema < 0)
        return -1;
    if (check_numbers(query->path, (uint32_t)application, schema, error) != 0)
        return -1;
    return st->st_size <= QUICK_CHECK_MAX_BYTES ? quick_check(query, error) : 0;
}

static bool has_beside(const char *path, const char *tail)
{
    char *name = malloc(strlen(path) + strlen(tail) + 1);
    if (!name)
        return false;
    sprintf(name, "%s%s", path, tail);
    bool found = access(name, F_OK) == 0;
    free(name);
    return found;
}

static enum way way_to_open(const char *path, bool wal_mode, bool wal)
{
    if (wal)
        return has_beside(path, "-shm") ? WAY_FILE : WAY_LONE_WAL;
    return wal_mode ? WAY_IMMUTABLE : WAY_FILE;
}

int kp_query_open(struct kp_query **result, const char *path, struct kp_error *error)
{
    unsigned char header[HEADER_BYTES];
    struct stat st;
    bool wal = has_beside(path, "-wal");
    *result = NULL;
    if (read_header(path, header, &st, error) != 0 ||
        check_header(path, header, &st, wal, error) != 0)
        return -1;
    struct kp_query *query = calloc(1, sizeof *query);
    if (!query || !(query->path = strdup(path))) {
        free(query);
        return kp_query_no_memory(error);
    }
    enum way way = way_to_open(path, header[19] == 2, wal); /* the read version */
    if (open_database(query, way, error) != 0 ||
        check_content(query, &st, error) != 0) {
        kp_query_close(query);
        return -1;
    }
    *result = query;
    return 0;
}

void kp_query_close(struct kp_query *query)
{
    if (!query)
        return;
    kp_stacks_free(query->stacks);
    sqlite3_close(query->db);
    kp_names_release(&query->names);
    free(query->path);
    free(query);
}
