/* SPDX-License-Identifier: MIT */
/*
 * Rows for table sample, millions of them: SQLite asks us for row after row ("INSERT INTO sample
 * SELECT * FROM new_samples", where new_samples is a virtual table that is us) instead of being
 * handed each by a statement with parameters, which takes a third more time. One thread.
 */
#ifndef KP_SAMPLE_ROWS_H
#define KP_SAMPLE_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order of the columns. */
struct kp_sample_row {
    int64_t id, site, thread, shim_id, size;
    double weight;
    int64_t address, born_us, born_iteration;
};

struct kp_sample_rows {
    bool (*next)(void *context, struct kp_sample_row *row); /* false: there is no more */
    void *context;
};

/* Makes the table on a connection; `rows` must outlive it. Returns an SQLite code. */
int kp_sample_rows_register(sqlite3 *db, struct kp_sample_rows *rows);

#endif
