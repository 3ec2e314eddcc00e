/* SPDX-License-Identifier: MIT */
/*
 * An array with a hash index, see import_table.h.
 */
#include "import_table.h"

#include "alloc.h"

#include <stdlib.h>

void kp_import_table_release(struct kp_import_table *table)
{
    free(table->rows);
    kp_index_free(&table->index);
    *table = (struct kp_import_table){0};
}

void kp_phase_sums_add(struct kp_phase_sums *to, const struct kp_phase_sums *what)
{
    to->us += what->us;
    to->bytes += what->bytes;
    to->count += what->count;
}

static struct kp_import_row *find(const struct kp_import_table *table, uint32_t module)
{
    uint64_t hash = kp_hash2(module, 0);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&table->index, hash, &at)))
        if (table->rows[id].module == module)
            return &table->rows[id];
    return NULL;
}

static struct kp_import_row *find_or_make(struct kp_import_table *table, uint32_t module)
{
    struct kp_import_row *row = find(table, module);

    if (!row && module && table->count >= KP_IMPORTS_MAX)
        return find_or_make(table, 0);
    if (row)
        return row;
    uint32_t id = ++table->count;
    table->rows =
        kp_array_grow(table->rows, &table->capacity, (size_t)id + 1, sizeof *table->rows);
    table->rows[id] = (struct kp_import_row){.module = module};
    kp_index_insert(&table->index, kp_hash2(module, 0), id);
    return &table->rows[id];
}

void kp_import_table_add(struct kp_import_table *table, uint32_t module,
                         const struct kp_phase_sums *what)
{
    struct kp_import_row *row = find_or_make(table, module);

    kp_phase_sums_add(&row->sums, what);
    row->dirty = true;
}

void kp_import_table_settle(struct kp_import_table *table)
{
    for (uint32_t i = 1; i <= table->count; i++)
        table->rows[i].dirty = false;
}
