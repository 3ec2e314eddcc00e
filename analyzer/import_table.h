/* SPDX-License-Identifier: MIT */
/*
 * What the imports of one process cost, per module and without what it imported in its turn: the
 * rows of table import. One thread.
 */
#ifndef KP_IMPORT_TABLE_H
#define KP_IMPORT_TABLE_H

#include "id_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A process with more modules has the rest of them in one row of this name. */
#define KP_IMPORTS_MAX 4096u
#define KP_IMPORT_OTHERS "(others)"

struct kp_phase_sums {
    double us, bytes, count;
};

struct kp_import_row {
    uint32_t module; /* number of its name in struct kp_import_contexts; 0: the others */
    bool dirty;
    struct kp_phase_sums sums;
};

struct kp_import_table {
    struct kp_import_row *rows; /* [1 .. count] */
    size_t capacity;
    uint32_t count;
    struct kp_index index;
};

void kp_import_table_release(struct kp_import_table *table);
void kp_import_table_add(struct kp_import_table *table, uint32_t module,
                         const struct kp_phase_sums *what);
/* The dirty ones are in the database. */
void kp_import_table_settle(struct kp_import_table *table);

void kp_phase_sums_add(struct kp_phase_sums *to, const struct kp_phase_sums *what);

#endif
