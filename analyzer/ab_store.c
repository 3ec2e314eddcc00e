/* SPDX-License-Identifier: MIT */
/*
 * See ab_store.h. The columns of table run come from the list of figures, so that neither can have
 * one more than the other. What is read back may have been changed by anybody: indices are checked.
 */
#include "ab_store.h"

#include "alloc.h"

#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIGURATIONS_MAX 4096

struct kp_ab_store {
    sqlite3 *db;
    char *path;
};

#define COLUMN(name, column) ", " #column " REAL"
static const char schema[] =
    "CREATE TABLE comparison (id INTEGER PRIMARY KEY CHECK (id = 1), version TEXT NOT NULL,"
    " command TEXT NOT NULL, directory TEXT NOT NULL, is_python INTEGER NOT NULL,"
    " warm_iterations REAL NOT NULL, wanted_runs INTEGER NOT NULL, idle_s INTEGER NOT NULL,"
    " timeout_s INTEGER NOT NULL, keeps_output INTEGER NOT NULL);"
    "CREATE TABLE configuration (id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " is_recorded INTEGER NOT NULL);"
    "CREATE TABLE setting (configuration_id INTEGER NOT NULL, name TEXT NOT NULL,"
    " value TEXT NOT NULL, is_swept INTEGER NOT NULL);"
    "CREATE TABLE run (id INTEGER PRIMARY KEY, configuration_id INTEGER NOT NULL,"
    " round INTEGER NOT NULL, outcome TEXT NOT NULL, said TEXT NOT NULL" KP_AB_FIGURES(COLUMN) ");"
    "CREATE TABLE memory (run_id INTEGER NOT NULL, time_s REAL NOT NULL, rss INTEGER NOT NULL,"
    " PRIMARY KEY (run_id, time_s)) WITHOUT ROWID;"
    "CREATE TABLE job (run_id INTEGER NOT NULL, name TEXT NOT NULL, begin_s REAL NOT NULL,"
    " seconds REAL NOT NULL, failed INTEGER NOT NULL);"
    "CREATE VIEW v_runs AS SELECT c.name AS configuration, c.is_recorded, r.* FROM run r"
    " JOIN configuration c ON c.id = r.configuration_id;";
#undef COLUMN

static int fail(struct kp_ab_store *store, struct kp_error *error)
{
    return -kp_error_set(error, "%s: %s", store->path, sqlite3_errmsg(store->db));
}

static int64_t pragma(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *query = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        value = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return value;
}

/* A new one gets its tables; an old one must be of this version. */
static int prepare(struct kp_ab_store *store, struct kp_error *error)
{
    char sql[128];
    int64_t id = pragma(store->db, "PRAGMA application_id"),
            version = pragma(store->db, "PRAGMA user_version"),
            tables = pragma(store->db, "SELECT count(*) FROM sqlite_master");
    if (id == KP_AB_APPLICATION_ID && version == KP_AB_SCHEMA)
        return 0;
    if (id == KP_AB_APPLICATION_ID)
        return -kp_error_set(error, "%s was made by another version of kprof-ab; choose another "
                                    "name with -o", store->path);
    if (id != 0 || tables != 0)
        return -kp_error_set(error, "%s is no comparison of kprof-ab; choose another name with -o",
                             store->path);
    snprintf(sql, sizeof sql, "PRAGMA application_id = %u; PRAGMA user_version = %d; COMMIT",
             KP_AB_APPLICATION_ID, KP_AB_SCHEMA);
    if (sqlite3_exec(store->db, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE", NULL, NULL, NULL) ||
        sqlite3_exec(store->db, schema, NULL, NULL, NULL) ||
        sqlite3_exec(store->db, sql, NULL, NULL, NULL))
        return fail(store, error);
    return 0;
}

/* SQLite itself would write to any empty file and choke on others late. */
static bool looks_foreign(const char *path)
{
    char head[16] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = file >= 0 ? read(file, head, sizeof head) : 0;
    if (file >= 0)
        close(file);
    return got != 0 && memcmp(head, "SQLite format 3", sizeof head) != 0;
}

struct kp_ab_store *kp_ab_store_open(const char *path, struct kp_error *error)
{
    struct kp_ab_store *store = kp_alloc(sizeof *store);
    store->path = kp_copy_text(path ? path : "the comparison", strlen(path ? path : "the comparison"));
    int result = 0;
    if (path && looks_foreign(path))
        result = -kp_error_set(error, "%s is no comparison of kprof-ab; choose another name with -o",
                               path);
    else if (sqlite3_open(path ? path : ":memory:", &store->db) != SQLITE_OK)
        result = -kp_error_set(error, "cannot open %s: %s", store->path,
                               strerror(sqlite3_system_errno(store->db)));
    if (result == 0) {
        sqlite3_busy_timeout(store->db, 2000);
        result = prepare(store, error);
    }
    if (result == 0)
        return store;
    kp_ab_store_close(store);
    return NULL;
}

void kp_ab_store_close(struct kp_ab_store *store)
{
    if (!store)
        return;
    sqlite3_close(store->db);
    free(store->path);
    free(store);
}

/* One letter per parameter: i int64_t, d double (NAN is null), t text. */
static int write_row(struct kp_ab_store *store, const char *sql, struct kp_error *error,
                     const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list values;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return fail(store, error);
    va_start(values, types);
    for (int at = 1; types[at - 1]; at++) {
        if (types[at - 1] == 'i')
            sqlite3_bind_int64(statement, at, va_arg(values, int64_t));
        else if (types[at - 1] == 'd')
            sqlite3_bind_double(statement, at, va_arg(values, double));
        else
            sqlite3_bind_text(statement, at, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(values);
    int code = sqlite3_step(statement);
    int result = code == SQLITE_DONE ? 0 : fail(store, error);
    sqlite3_finalize(statement);
    return result;
}

static int execute(struct kp_ab_store *store, const char *sql, struct kp_error *error)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(store, error);
}

static int finish(struct kp_ab_store *store, int result, struct kp_error *error)
{
    if (result == 0)
        result = execute(store, "COMMIT", error);
    if (result != 0 && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

static int write_configuration(struct kp_ab_store *store, int64_t id,
                               const struct kp_ab_configuration *c, struct kp_error *error)
{
    int result = write_row(store, "INSERT INTO configuration VALUES (?,?,?)", error, "iti", id,
                           c->name, (int64_t)c->is_recorded);
    for (size_t i = 0; result == 0 && i < c->setting_count; i++)
        result = write_row(store, "INSERT INTO setting VALUES (?,?,?,?)", error, "itti", id,
                           c->settings[i].name, c->settings[i].value,
                           (int64_t)c->settings[i].is_swept);
    return result;
}

int kp_ab_store_plan(struct kp_ab_store *store, const struct kp_ab_comparison *comparison,
                     struct kp_error *error)
{
    int result = execute(store,
                         "BEGIN IMMEDIATE; DELETE FROM comparison; DELETE FROM configuration;"
                         "DELETE FROM setting",
                         error);
    if (result == 0)
        result = write_row(store, "INSERT INTO comparison VALUES (1,?,?,?,?,?,?,?,?,?)", error,
                           "tttidiiii", KP_VERSION, comparison->command, comparison->directory,
                           (int64_t)comparison->is_python, comparison->warm_iterations,
                           comparison->wanted_runs, comparison->idle_s, comparison->timeout_s,
                           comparison->keeps_output);
    for (size_t i = 0; result == 0 && i < comparison->configuration_count; i++)
        result = write_configuration(store, (int64_t)i + 1, &comparison->configurations[i], error);
    return finish(store, result, error);
}

static int write_details(struct kp_ab_store *store, int64_t id, const struct kp_ab_run *run,
                         struct kp_error *error)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < run->sample_count; i++)
        result = write_row(store, "INSERT OR REPLACE INTO memory VALUES (?,?,?)", error, "idi", id,
                           run->samples[i].time_s, (int64_t)run->samples[i].rss);
    for (size_t i = 0; result == 0 && i < run->job_count; i++)
        result = write_row(store, "INSERT INTO job VALUES (?,?,?,?,?)", error, "itddi", id,
                           run->jobs[i].name, run->jobs[i].begin_s, run->jobs[i].seconds,
                           (int64_t)run->jobs[i].failed);
    return result;
}

static int write_figures(struct kp_ab_store *store, int64_t id, const struct kp_ab_run *run,
                         struct kp_error *error)
{
#define COLUMN(name, column) #column,
    static const char *const columns[] = {KP_AB_FIGURES(COLUMN)};
#undef COLUMN
    int result = 0;
    for (int i = 0; result == 0 && i < KP_AB_FIGURE_COUNT; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "UPDATE run SET %s = ?1 WHERE id = ?2", columns[i]);
        result = write_row(store, sql, error, "di", run->figures[i], id);
    }
    return result;
}

int kp_ab_store_add(struct kp_ab_store *store, const struct kp_ab_run *run, struct kp_error *error)
{
    int result = execute(store, "BEGIN IMMEDIATE", error);
    if (result == 0)
        result = write_row(store,
                           "INSERT INTO run (configuration_id, round, outcome, said)"
                           " VALUES (?,?,?,?)",
                           error, "iitt", run->configuration + 1, run->round, run->outcome,
                           run->said);
    int64_t id = sqlite3_last_insert_rowid(store->db);
    if (result == 0)
        result = write_figures(store, id, run, error);
    if (result == 0)
        result = write_details(store, id, run, error);
    return finish(store, result, error);
}

static const char *text_of(sqlite3_stmt *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    return text ? text : "";
}

static char *copy_of(sqlite3_stmt *query, int column)
{
    return kp_copy_text(text_of(query, column), strlen(text_of(query, column)));
}

static void read_comparison(sqlite3_stmt *query, struct kp_ab_comparison *comparison)
{
    free(comparison->command);
    free(comparison->directory);
    comparison->command = copy_of(query, 0);
    comparison->directory = copy_of(query, 1);
    comparison->is_python = sqlite3_column_int(query, 2) != 0;
    comparison->warm_iterations = sqlite3_column_double(query, 3);
    comparison->wanted_runs = sqlite3_column_int64(query, 4);
    comparison->idle_s = sqlite3_column_int64(query, 5);
    comparison->timeout_s = sqlite3_column_int64(query, 6);
    comparison->keeps_output = sqlite3_column_int64(query, 7);
}

static void read_configuration(sqlite3_stmt *query, struct kp_ab_comparison *comparison)
{
    if (comparison->configuration_count < CONFIGURATIONS_MAX)
        kp_ab_add_configuration(comparison, text_of(query, 1))->is_recorded =
            sqlite3_column_int(query, 2) != 0;
}

static void read_setting(sqlite3_stmt *query, struct kp_ab_comparison *comparison)
{
    int64_t id = sqlite3_column_int64(query, 0);
    if (id >= 1 && (size_t)id <= comparison->configuration_count)
        kp_ab_add_setting(&comparison->configurations[id - 1], text_of(query, 1),
                          text_of(query, 2), sqlite3_column_int(query, 3) != 0);
}

static void read_run(sqlite3_stmt *query, struct kp_ab_comparison *comparison)
{
    int64_t id = sqlite3_column_int64(query, 0);
    if (id < 1 || (size_t)id > comparison->configuration_count)
        return;
    struct kp_ab_run *run = kp_ab_add_run(comparison);
    run->configuration = id - 1;
    run->round = sqlite3_column_int64(query, 1);
    snprintf(run->outcome, sizeof run->outcome, "%s", text_of(query, 2));
    snprintf(run->said, sizeof run->said, "%s", text_of(query, 3));
    for (int i = 0; i < KP_AB_FIGURE_COUNT; i++)
        if (sqlite3_column_type(query, 4 + i) != SQLITE_NULL)
            run->figures[i] = sqlite3_column_double(query, 4 + i);
}

int kp_ab_store_load(struct kp_ab_store *store, struct kp_ab_comparison *comparison,
                     struct kp_error *error)
{
#define COLUMN(name, column) ", " #column
    static const struct {
        const char *sql;
        void (*read)(sqlite3_stmt *query, struct kp_ab_comparison *comparison);
    } tables[] = {
        {"SELECT command, directory, is_python, warm_iterations, wanted_runs, idle_s, timeout_s,"
         " keeps_output FROM comparison",
         read_comparison},
        {"SELECT id, name, is_recorded FROM configuration ORDER BY id", read_configuration},
        {"SELECT configuration_id, name, value, is_swept FROM setting ORDER BY rowid",
         read_setting},
        {"SELECT configuration_id, round, outcome, said" KP_AB_FIGURES(COLUMN)
         " FROM run ORDER BY id",
         read_run},
    };
#undef COLUMN
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        sqlite3_stmt *query = NULL;
        int code = sqlite3_prepare_v2(store->db, tables[i].sql, -1, &query, NULL);
        while (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
            tables[i].read(query, comparison);
            code = SQLITE_OK;
        }
        sqlite3_finalize(query);
        if (code != SQLITE_DONE)
            return fail(store, error);
    }
    return 0;
}

char **kp_ab_store_words(struct kp_ab_store *store, const char *json)
{
    sqlite3_stmt *query = NULL;
    char **words = NULL;
    size_t capacity = 0, count = 0;
    if (sqlite3_prepare_v2(store->db, "SELECT value FROM json_each(?1)", -1, &query, NULL) !=
        SQLITE_OK)
        return NULL;
    sqlite3_bind_text(query, 1, json, -1, SQLITE_TRANSIENT);
    while (sqlite3_step(query) == SQLITE_ROW) {
        words = kp_array_grow(words, &capacity, count + 2, sizeof *words);
        words[count++] = copy_of(query, 0);
        words[count] = NULL;
    }
    sqlite3_finalize(query);
    return words;
}
