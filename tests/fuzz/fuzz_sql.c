/* SPDX-License-Identifier: MIT */
/*
 * See fuzz_sql.h. Statements that fail are part of the game: then this input is a little less
 * damaged. A database in WAL mode cannot be opened in memory: the two bytes that say so are turned
 * meanwhile.
 */
#include "fuzz_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_BYTES 18 /* file format versions: 2 is WAL */
#define NAME_MAX_BYTES 64
#define DATABASE_MAX_BYTES (32 << 20) /* damage upon damage makes them grow */

static const char *const tables[] = {"session", "process",  "note",        "thread", "module",
                                     "code",    "location", "frame",       "stack",  "site",
                                     "sample",  "lifetime", "timeline",    "memory", "mark",
                                     "phase",   "import",   "spool_cursor"};

static const char *const values[] = {
    "NULL",
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "-0.5",
    "9223372036854775807",
    "-9223372036854775808",
    "4611686018427387904",
    "4294967295",
    "4294967296",
    "2147483648",
    "1e300",
    "-1e300",
    "9e999",
    "-9e999",
    "1e-300",
    "''",
    "'1'",
    "'abc'",
    "'-'",
    "x''",
    "x'00ff'",
    "cast(x'c328' as text)",
    "cast(x'410042' as text)",
    "char(27)||'[2J'",
    "char(10)||'second line'",
    "'\"'",
    "'%s%n'",
    "'<b>&amp;'",
    "'../../../etc/passwd'",
    "'/dev/zero'",
    "'/dev/tty'",
    "printf('%.*c', 200000, 'x')",
    "printf('%.*c', 3000, '(<')",
    "'_ZN'||printf('%.*c', 400, '3fooI')",
    "char(233,8364,128512,8238)",
    "zeroblob(70000)",
    "random()",
    "'malloc'",
    "'arena'",
    "'object'",
    "'python'",
    "'native'",
    "'imports'",
    "'nonsense'",
    "'[\"a\",'",
    "'[[[[[[[['",
    "'{}'",
    "'[\"\\ud800\"]'",
};

static const char *const whole_statements[] = {
    "UPDATE stack SET parent_id = id",
    "UPDATE stack SET parent_id = (SELECT max(id) FROM stack) - id",
    "UPDATE stack SET id = -id",
    "UPDATE process SET parent_id = id, ppid = pid",
    "UPDATE process SET parent_id = (SELECT max(id) FROM process)",
    "UPDATE process SET pid = 1",
    "UPDATE site SET stack_id = stack_id + 1000000",
    "UPDATE frame SET depth = depth + 1",
    "UPDATE frame SET function = NULL, file = NULL",
    "UPDATE location SET module_id = module_id + 7",
    "UPDATE location SET code_id = code_id + 7",
    "UPDATE location SET code_id = 1 - code_id WHERE code_id < 2",
    "UPDATE code SET first_line = -first_line, file = function",
    "UPDATE frame SET lang = CASE lang WHEN 'native' THEN 'python' ELSE 'native' END",
    "UPDATE mark SET rss = -rss, object_blocks = rss * 1e9",
    "UPDATE process SET python = argv, directory = char(10) || exe, before_join_s = -1e300",
    "UPDATE process SET before_join_s = 9e999, python_broken = -1",
    "INSERT OR REPLACE INTO phase SELECT id, p, (id * 7) % 5 - 2, 1e300, -1 FROM process, (SELECT "
    "'imports' AS p UNION SELECT 'cold' UNION SELECT 'warm' UNION SELECT 'x' UNION SELECT "
    "'start-up')",
    "INSERT OR REPLACE INTO import SELECT p.id, f.function || f.line, s.live_bytes, s.rate_max, -1 "
    "FROM process p, frame f, site s",
    "UPDATE timeline SET slice_s = 0",
    "UPDATE timeline SET start_s = -start_s, slice_s = slice_s * 3",
    "UPDATE timeline SET start_s = start_s * 1e12",
    "UPDATE memory SET time_s = time_s * 1e15",
    "UPDATE site SET allocated_bytes_var = -allocated_bytes_var, live_bytes = allocated_bytes * 2",
    "UPDATE session SET finished = 0",
    "UPDATE session SET id = 2",
    "INSERT INTO session SELECT 2, session, version, start_unix, 1 - finished, 3, 4 FROM session",
    "DELETE FROM session",
    "INSERT INTO stack WITH RECURSIVE n(i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i "
    "< 103000) "
    "SELECT i, i - 1, 1 FROM n",
    "INSERT INTO frame WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < "
    "3000) "
    "SELECT 1, i, 'f' || i, '', i, 1, 'python' FROM n",
    "INSERT INTO process SELECT id + 100, pid + 1, ppid, id + 99, origin, exe, argv, allocator, "
    "python, directory, before_join_s, unwinder, started_s, ended_s, end, "
    "fixed_rate, budget, samples, lost_samples, lost_frees, lost_nested, lost_definitions, "
    "cut_frames, broken_stacks, python_broken, python_cut_frames, "
    "rate_min, rate_max, sampling_s, cpu_s, late_sampling_s, late_cpu_s, peak_rss_bytes FROM "
    "process",
    "INSERT INTO note WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
    "2000) SELECT i, 'note ' || i FROM n",
    "INSERT INTO mark WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
    "2000) "
    "SELECT 1, i * 4503599627370496, -i, i, i, -i, NULL, i * 1e9, i, -i FROM n",
    "ALTER TABLE site RENAME TO kept; CREATE VIEW site AS SELECT * FROM kept",
    "ALTER TABLE note RENAME TO kept; CREATE VIEW note AS WITH RECURSIVE n(process_id) AS (SELECT "
    "1 UNION ALL "
    "SELECT process_id + 1 FROM n) SELECT process_id, 'x' AS text FROM n",
    "ALTER TABLE memory RENAME TO kept; CREATE VIEW memory AS SELECT k.* FROM kept k, kept l, kept "
    "m, kept n, kept o, kept p",
    "DROP TABLE thread; CREATE VIEW thread AS SELECT * FROM thread",
    "DROP VIEW v_sites",
    "CREATE TRIGGER t BEFORE INSERT ON process BEGIN DELETE FROM session; END",
    "CREATE TRIGGER u AFTER UPDATE ON site BEGIN UPDATE site SET live_bytes = live_bytes + 1; END",
    "CREATE INDEX i ON site(abs(samples))",
    "CREATE TABLE extra(a, b GENERATED ALWAYS AS (a || zeroblob(100)))",
    "PRAGMA user_version = 0",
    "PRAGMA user_version = 3",
    "PRAGMA user_version = 5",
    "PRAGMA user_version = -5",
    "PRAGMA application_id = 0",
    "PRAGMA page_size = 512; VACUUM",
    "PRAGMA page_size = 65536; VACUUM",
    "PRAGMA auto_vacuum = 1; VACUUM",
    "PRAGMA legacy_file_format = 1; VACUUM",
    "UPDATE sqlite_schema SET rootpage = 3 WHERE rootpage > 3",
    "UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER', 'TEXT') WHERE type = 'table'",
    "UPDATE sqlite_schema SET sql = 'CREATE TABLE ' || name || '(x' WHERE name = 'site'",
    "UPDATE sqlite_schema SET sql = NULL, rootpage = 0 WHERE name = 'process'",
    "UPDATE sqlite_schema SET name = 'stack', tbl_name = 'stack' WHERE name = 'site'",
    "DELETE FROM sqlite_schema WHERE name LIKE '%autoindex%'",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void run(sqlite3 *db, const char *sql)
{
    sqlite3_exec(db, sql, NULL, NULL, NULL);
}

sqlite3 *kp_fuzz_sql_open(const struct kp_fuzz_bytes *database)
{
    sqlite3 *db = NULL;
    unsigned char *copy = database->size > 100 ? sqlite3_malloc64(database->size) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, database->at, database->size);
    copy[MODE_BYTES] = copy[MODE_BYTES + 1] = 1;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
        sqlite3_deserialize(
            db, "main", copy, (sqlite3_int64)database->size, (sqlite3_int64)database->size,
            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK) {
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_int64 most = DATABASE_MAX_BYTES;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_SIZE_LIMIT, &most);
    run(db, "PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON; PRAGMA "
            "journal_mode = OFF;"
            "CREATE TEMP TABLE schema_before AS SELECT name AS n, sql AS s FROM main.sqlite_schema;"
            "UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), 'CHECK (id = "
            "1)', '') "
            "WHERE type = 'table'; PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON");
    return db;
}

void kp_fuzz_sql_close(sqlite3 *db, bool with_schema, struct kp_fuzz_bytes *database)
{
    sqlite3_int64 size = 0;
    uint8_t mode[2] = {database->at[MODE_BYTES], database->at[MODE_BYTES + 1]};
    if (with_schema)
        run(db, "UPDATE sqlite_schema SET sql = (SELECT s FROM temp.schema_before WHERE n = name) "
                "WHERE name IN (SELECT n FROM temp.schema_before)");
    unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
    if (bytes && size > 100) {
        kp_fuzz_bytes_set(database, bytes, (size_t)size);
        memcpy(database->at + MODE_BYTES, mode, sizeof mode);
    }
    sqlite3_free(bytes);
    sqlite3_close(db);
}

/* Name of a random column of the table; false when there is no such table. */
static bool pick_column(struct kp_fuzz_random *random, sqlite3 *db, const char *table,
                        char name[NAME_MAX_BYTES])
{
    sqlite3_stmt *columns = NULL;
    size_t seen = 0;
    if (sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_info(?1)", -1, &columns, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_bind_text(columns, 1, table, -1, SQLITE_STATIC);
    while (sqlite3_step(columns) == SQLITE_ROW)
        if (kp_fuzz_one_in(random, (unsigned)++seen))
            snprintf(name, NAME_MAX_BYTES, "%s", (const char *)sqlite3_column_text(columns, 0));
    sqlite3_finalize(columns);
    return seen > 0;
}

static void update(struct kp_fuzz_random *random, sqlite3 *db, const char *table,
                   const char *column)
{
    char key[NAME_MAX_BYTES], change[512], sql[1024];
    const char *value = values[kp_fuzz_below(random, COUNT(values))];
    if (!pick_column(random, db, table, key))
        return;
    switch (kp_fuzz_below(random, 6)) {
    case 0: snprintf(change, sizeof change, "-%s", column); break;
    case 1: snprintf(change, sizeof change, "%s + 1", column); break;
    case 2: snprintf(change, sizeof change, "%s * 1e18", column); break;
    case 3: snprintf(change, sizeof change, "%s", key); break;
    default: snprintf(change, sizeof change, "%s", value); break;
    }
    snprintf(sql, sizeof sql, "UPDATE OR IGNORE %s SET %s = %s", table, column, change);
    if (!kp_fuzz_one_in(random, 3)) {
        size_t used = strlen(sql);
        snprintf(sql + used, sizeof sql - used, " WHERE (%s + %u) %% %u = 0", key,
                 (unsigned)kp_fuzz_below(random, 9), (unsigned)(1 + kp_fuzz_below(random, 9)));
    }
    run(db, sql);
}

static void change_table(struct kp_fuzz_random *random, sqlite3 *db)
{
    const char *table = tables[kp_fuzz_below(random, COUNT(tables))];
    char column[NAME_MAX_BYTES], sql[512] = "";
    if (!pick_column(random, db, table, column))
        return;
    switch (kp_fuzz_below(random, 16)) {
    case 0: snprintf(sql, sizeof sql, "DROP TABLE %s", table); break;
    case 1: snprintf(sql, sizeof sql, "DELETE FROM %s", table); break;
    case 2: snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s %% 3 = 0", table, column); break;
    case 3: snprintf(sql, sizeof sql, "ALTER TABLE %s DROP COLUMN %s", table, column); break;
    case 4:
        snprintf(sql, sizeof sql, "ALTER TABLE %s RENAME COLUMN %s TO other", table, column);
        break;
    case 5: snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN other", table); break;
    case 6: snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO %s DEFAULT VALUES", table); break;
    default: update(random, db, table, column); return;
    }
    run(db, sql);
}

void kp_fuzz_damage_sql(struct kp_fuzz_random *random, struct kp_fuzz_bytes *database)
{
    sqlite3 *db = kp_fuzz_sql_open(database);
    if (!db)
        return;
    for (uint64_t left = 1 + kp_fuzz_below(random, 4); left--;)
        if (kp_fuzz_one_in(random, 4))
            run(db, whole_statements[kp_fuzz_below(random, COUNT(whole_statements))]);
        else
            change_table(random, db);
    kp_fuzz_sql_close(db, !kp_fuzz_one_in(random, 4), database);
}

bool kp_fuzz_run_sql(const char *sql, struct kp_fuzz_bytes *database)
{
    sqlite3 *db = kp_fuzz_sql_open(database);
    if (!db)
        return false;
    bool done = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    kp_fuzz_sql_close(db, false, database);
    return done;
}
