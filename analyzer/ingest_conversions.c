/* SPDX-License-Identifier: MIT */
/*
 * Conversions on their way from the spool to rows: entries are definitions, activations are data,
 * and counts are not records at all but blocks that their threads keep up to date. Blocks stay as
 * long as their process, so that all of them are added up anew whenever it is looked at; a killed
 * collector's work is taken up by the same. A process that has ended has written its last.
 */
#include "ingest.h"

#include "alloc.h"

#include <string.h>

void kp_ingest_entry(struct kp_recorded *process, const struct kp_rec_entry *record)
{
    const struct kp_module_ref *module = kp_process_module(process, record->module);

    kp_conversions_define(&process->conversions, record, module ? module->module : 0,
                          kp_copy_text(kp_decode_entry_name(record), record->name_bytes));
}

void kp_ingest_activation(struct kp_recorded *process, const struct kp_rec_activation *record)
{
    const struct kp_node *node = kp_process_node(process, record->node);

    kp_conversions_add_activation(&process->conversions, node ? node->stack : 0, record);
}

void kp_ingest_add_counters(struct kp_recorded *process, uint32_t index)
{
    struct kp_conversion_table *table = &process->conversions;

    table->blocks = kp_array_grow(table->blocks, &table->block_capacity, table->block_count + 1u,
                                  sizeof *table->blocks);
    table->blocks[table->block_count++] = index;
}

static int add_chunk(struct kp_ingest *ingest, struct kp_conversion_table *table, uint32_t index,
                     struct kp_error *error)
{
    struct kp_chunk_header like = {.kind = KP_CHUNK_COUNTERS};
    uint32_t used = kp_spool_used(ingest->spool, index), blocks = 0;
    const struct kp_counter_block *block;

    used -= used % sizeof *block;
    if (kp_spool_read(ingest->spool, index, kp_decode_records_offset(&like), 0, used,
                      ingest->buffer, error))
        return 1;
    for (; (block = kp_decode_block(ingest->buffer, used, blocks)); blocks++)
        kp_conversions_add_block(table, block);
    if (blocks * sizeof *block == used)
        return 0;
    return kp_error_set(error, "cannot read the spool %s: counters are damaged",
                        ingest->spool->path);
}

int kp_ingest_counters(struct kp_ingest *ingest, struct kp_recorded *process,
                       struct kp_error *error)
{
    struct kp_conversion_table *table = &process->conversions;

    kp_conversions_begin_counts(table);
    for (uint32_t i = 0; i < table->block_count; i++)
        if (add_chunk(ingest, table, table->blocks[i], error))
            return 1;
    ingest->is_changed |= kp_conversions_end_counts(table);
    return 0;
}

static int64_t number(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void write_entry(struct kp_store *store, const struct kp_recorded *process,
                        const struct kp_entry_row *entry)
{
    kp_store_run(store, KP_SQL_ENTRY, "iittii", (int64_t)process->number, (int64_t)entry->id,
                 kp_entry_kind_name(entry->kind), entry->name, (int64_t)entry->module,
                 (int64_t)entry->counts.threads);
    for (int row = 0; row < KP_API_ROWS; row++) {
        const struct kp_api_info *api = &kp_api_rows[row];
        uint64_t calls = entry->counts.calls[row], amount = entry->counts.amounts[row];

        if (calls || amount)
            kp_store_run(store, KP_SQL_CONVERSION, "iittitiii", (int64_t)process->number,
                         (int64_t)entry->id, api->name, kp_direction_name(api->direction),
                         number(calls), kp_unit_name(api->unit), (int64_t)amount,
                         number(calls * (uint64_t)api->objects),
                         number(calls * (uint64_t)api->copies));
    }
}

static void write_calls(struct kp_store *store, const struct kp_recorded *process,
                        const struct kp_call_sums *sums)
{
    const struct kp_call_sum *total = &sums->times[KP_CALL_TOTAL],
                             *converting = &sums->times[KP_CALL_CONVERTING],
                             *to = &sums->times[KP_CALL_TO_PYTHON],
                             *from = &sums->times[KP_CALL_FROM_PYTHON];

    kp_store_run(store, KP_SQL_ACTIVATION, "iiiidddddddddddddddddddd", (int64_t)process->number,
                 (int64_t)sums->entry, (int64_t)sums->stack, number(sums->samples), sums->calls,
                 sums->calls_variance, total->value / 1e9, total->variance / 1e18,
                 total->covariance / 1e9, converting->value / 1e9, converting->variance / 1e18,
                 converting->covariance / 1e9, to->value / 1e9, to->variance / 1e18,
                 to->covariance / 1e9, from->value / 1e9, from->variance / 1e18,
                 from->covariance / 1e9, sums->wait_ns / 1e9, sums->released_ns / 1e9,
                 sums->conversions[KP_TO_PYTHON], sums->conversions[KP_FROM_PYTHON], sums->strings,
                 sums->repeated);
}

static void write_state(struct kp_store *store, const struct kp_recorded *process)
{
    const struct kp_process_info *info = &process->info;

    kp_store_run(store, KP_SQL_CONVERSION_STATE, "itiiiii", (int64_t)process->number,
                 info->conversions == KP_CONVERSIONS_OFF ? "off" : "on",
                 (int64_t)info->patched_modules, (int64_t)info->wrapped_entries,
                 (int64_t)info->lost_entries, number(info->lost_blocks),
                 number(info->lost_activations));
}

void kp_ingest_conversions_write(struct kp_ingest *ingest, const struct kp_recorded *process)
{
    const struct kp_conversion_table *table = &process->conversions;

    if (process->info.conversions != KP_CONVERSIONS_NONE && (!process->stored || process->dirty))
        write_state(ingest->store, process);
    for (uint32_t id = 1; id < table->entry_end; id++)
        if (table->entries[id] && table->entries[id]->dirty)
            write_entry(ingest->store, process, table->entries[id]);
    for (uint32_t i = 1; i <= table->call_count; i++)
        if (table->calls[i]->dirty)
            write_calls(ingest->store, process, table->calls[i]);
}

static struct kp_call_sum time_sum(sqlite3_stmt *row, int column)
{
    return (struct kp_call_sum){sqlite3_column_double(row, column) * 1e9,
                                sqlite3_column_double(row, column + 1) * 1e18,
                                sqlite3_column_double(row, column + 2) * 1e9};
}

/* False: it cannot be. */
static bool load_calls(struct kp_ingest *ingest, sqlite3_stmt *row)
{
    struct kp_recorded *process =
        kp_ingest_process(ingest, (uint32_t)sqlite3_column_int64(row, 0));
    int64_t entry = sqlite3_column_int64(row, 1), stack = sqlite3_column_int64(row, 2);

    if (entry < 0 || entry > KP_ENTRY_LAST || stack < 0 || stack > ingest->tree.stack_count)
        return false;
    if (!process)
        return true;
    struct kp_call_sums *sums =
        kp_conversions_calls(&process->conversions, (uint32_t)entry, (uint32_t)stack);
    sums->samples = (uint64_t)sqlite3_column_int64(row, 3);
    sums->calls = sqlite3_column_double(row, 4);
    sums->calls_variance = sqlite3_column_double(row, 5);
    for (int i = 0; i < KP_CALL_TIMES; i++)
        sums->times[i] = time_sum(row, 6 + 3 * i);
    sums->wait_ns = sqlite3_column_double(row, 18) * 1e9;
    sums->released_ns = sqlite3_column_double(row, 19) * 1e9;
    sums->conversions[KP_TO_PYTHON] = sqlite3_column_double(row, 20);
    sums->conversions[KP_FROM_PYTHON] = sqlite3_column_double(row, 21);
    sums->strings = sqlite3_column_double(row, 22);
    sums->repeated = sqlite3_column_double(row, 23);
    return true;
}

int kp_ingest_conversions_load(struct kp_ingest *ingest, struct kp_error *error)
{
    sqlite3_stmt *query = kp_store_query(ingest->store, "SELECT * FROM activation", error);
    bool good = query != NULL;

    while (good && kp_store_next(ingest->store, query, error))
        if (!load_calls(ingest, query)) {
            kp_error_set(error, "cannot read %s: it is damaged", ingest->store->path);
            good = false;
        }
    sqlite3_finalize(query);
    return !good || error->text[0] != 0;
}
