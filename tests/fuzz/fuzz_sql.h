/* SPDX-License-Identifier: MIT */
/*
 * Damage that keeps a database readable for SQLite: rows, tables and schemas that kprof would never
 * write. The database is worked on in memory. One thread.
 */
#ifndef KP_FUZZ_SQL_H
#define KP_FUZZ_SQL_H

#include "fuzz_mutate.h"

#include <sqlite3.h>

/* NULL when SQLite finds it unreadable. Constraints that forbid what we do are lifted. */
sqlite3 *kp_fuzz_sql_open(const struct kp_fuzz_bytes *database);
/* Closes it; its bytes go to `database`. with_schema: the tables are declared as they were again,
 * whatever has become of them. */
void kp_fuzz_sql_close(sqlite3 *db, bool with_schema, struct kp_fuzz_bytes *database);

/* One or more random statements. */
void kp_fuzz_damage_sql(struct kp_fuzz_random *random, struct kp_fuzz_bytes *database);
/* These statements; false when one of them failed. */
bool kp_fuzz_run_sql(const char *sql, struct kp_fuzz_bytes *database);

#endif
