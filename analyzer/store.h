/* SPDX-License-Identifier: MIT */
/*
 * The database as the collector writes it: finding out whose it is, making it, one transaction per
 * batch, prepared statements. What the rows mean is in schema.sql and ingest. One thread.
 *
 * A new database is made under another name and renamed, so that nobody sees half a schema; a
 * finished recording of another session that stood there is replaced in the same moment.
 */
#ifndef KP_STORE_H
#define KP_STORE_H

#include "error.h"
#include "record.h"
#include "sample_rows.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define KP_STORE_SCHEMA 4 /* user_version */

enum kp_sql {
    KP_SQL_SESSION, /* finished, lost_processes */
    KP_SQL_PROCESS,
    KP_SQL_NOTE,
    KP_SQL_THREAD,
    KP_SQL_MODULE,
    KP_SQL_MODULE_SYMBOLS,
    KP_SQL_CODE,
    KP_SQL_LOCATION,
    KP_SQL_FRAME,
    KP_SQL_STACK,
    KP_SQL_SITE_NEW,
    KP_SQL_SITE_CHANGE,
    KP_SQL_SITE_THREAD,
    KP_SQL_SAMPLES_NEW,
    KP_SQL_SAMPLE_SIZE,
    KP_SQL_SAMPLE_GONE,
    KP_SQL_DEPARTED,
    KP_SQL_DEPARTED_GONE, /* of a process: freed before this time, or this iteration */
    KP_SQL_EVENT,
    KP_SQL_LIFETIME,
    KP_SQL_TIMELINE_CLEAR,
    KP_SQL_TIMELINE,
    KP_SQL_MEMORY,
    KP_SQL_MEMORY_GONE,
    KP_SQL_MARK,
    KP_SQL_MARK_TOTALS,
    KP_SQL_MARKS_GONE,
    KP_SQL_SNAPSHOT,
    KP_SQL_ARENA,
    KP_SQL_OCCUPANCY,
    KP_SQL_WASTE,
    KP_SQL_MAPPING,
    KP_SQL_SNAPSHOTS_GONE,
    KP_SQL_ARENAS_GONE,
    KP_SQL_OCCUPANCY_GONE,
    KP_SQL_WASTE_GONE,
    KP_SQL_MAPPING_GONE,
    KP_SQL_PHASE,
    KP_SQL_IMPORT,
    KP_SQL_CONVERSION_STATE,
    KP_SQL_ENTRY,
    KP_SQL_CONVERSION,
    KP_SQL_ACTIVATION,
    KP_SQL_CURSOR,
    KP_SQL_CURSOR_GONE,
    KP_SQL_CURSORS_GONE,
    KP_SQL_COUNT
};

enum kp_store_status {
    KP_STORE_OK = 0,
    KP_STORE_FAILED = 1, /* see the error */
    KP_STORE_FULL = 2,   /* no room on the disk: nothing of the transaction is in; try again */
};

struct kp_store {
    sqlite3 *db;
    sqlite3_stmt *statements[KP_SQL_COUNT];
    struct kp_sample_rows new_samples;
    int failure; /* first SQLite code of this transaction that is no success */
    bool was_finished; /* the recording was already complete when we opened it */
    bool was_created;  /* there was none of this session */
    /* An existing one, as long as nothing has been written to it: closing must leave all as it was,
     * also what SQLite keeps beside it. */
    bool is_untouched, had_wal, had_shm;
    char path[4096];
};

/* Who else may want the database while we write it. */
enum kp_store_readers {
    KP_STORE_READ,  /* reports of a running program: WAL */
    KP_STORE_ALONE, /* nobody: each row is written once. Only for one that is made now */
};

/* Opens the database of this session, makes it if there is none. Returns enum kp_store_status. */
int kp_store_open(struct kp_store *store, const char *path, const struct kp_spool_header *header,
                  enum kp_store_readers readers, struct kp_error *error);
void kp_store_close(struct kp_store *store);

/* A transaction. Failures in between are kept and returned by the commit, which then has rolled
 * back. Returns enum kp_store_status. */
void kp_store_begin(struct kp_store *store);
int kp_store_commit(struct kp_store *store, struct kp_error *error);

/* Runs a statement that returns nothing. One letter per parameter: i int64_t, d double, t text
 * (const char *, NULL is null), I int64_t with 0 for null, N int64_t with less than 0 for null, D double likewise. */
void kp_store_run(struct kp_store *store, enum kp_sql sql, const char *types, ...);

/* Rows for table sample, until `next` says that there is no more. */
void kp_store_write_samples(struct kp_store *store,
                            bool (*next)(void *context, struct kp_sample_row *row), void *context);

/* A query of its own, for loading; NULL on failure. Finish with sqlite3_finalize(). */
sqlite3_stmt *kp_store_query(struct kp_store *store, const char *sql, struct kp_error *error);
/* Next row: true. The end or a failure: false, a failure sets the error. */
bool kp_store_next(struct kp_store *store, sqlite3_stmt *query, struct kp_error *error);

/* Gives back what the -wal takes, as far as readers let it. For a full disk. */
void kp_store_shrink(struct kp_store *store);

/* Leaves one file that can be read from a read-only directory: no -wal, no -shm. */
int kp_store_finish(struct kp_store *store, struct kp_error *error);

/* Removes a database that was made for nothing. */
void kp_store_remove(const char *path);

/* Copies the database at `from`, if there is one, with what SQLite keeps beside it. */
int kp_store_copy(const char *from, const char *to, struct kp_error *error);

#endif
