/* SPDX-License-Identifier: MIT */
/*
 * Entries, counts and sums of conversions, see conversion_table.h.
 */
#include "conversion_table.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

void kp_conversions_release(struct kp_conversion_table *table)
{
    for (uint32_t id = 0; id < table->entry_end; id++)
        if (table->entries[id]) {
            free(table->entries[id]->name);
            free(table->entries[id]);
        }
    for (uint32_t i = 1; i <= table->call_count; i++)
        free(table->calls[i]);
    free(table->entries);
    free(table->blocks);
    free(table->calls);
    kp_index_free(&table->call_index);
    memset(table, 0, sizeof *table);
}

struct kp_entry_row *kp_conversions_entry(const struct kp_conversion_table *table, uint32_t id)
{
    return id < table->entry_end ? table->entries[id] : NULL;
}

void kp_conversions_define(struct kp_conversion_table *table, const struct kp_rec_entry *record,
                           uint32_t module, char *name)
{
    uint32_t id = record->id;

    if (kp_conversions_entry(table, id)) {
        free(name);
        return;
    }
    table->entries = kp_array_grow(table->entries, &table->entry_capacity, (size_t)id + 1,
                                   sizeof *table->entries);
    while (table->entry_end <= id)
        table->entries[table->entry_end++] = NULL;
    struct kp_entry_row *entry = table->entries[id] = kp_alloc(sizeof *entry);
    entry->id = record->id;
    entry->kind = record->kind;
    entry->module = module;
    entry->name = name;
    entry->dirty = true;
}

void kp_conversions_begin_counts(struct kp_conversion_table *table)
{
    for (uint32_t id = 1; id < table->entry_end; id++)
        if (table->entries[id])
            table->entries[id]->fresh = (struct kp_entry_counts){.threads = 0};
}

void kp_conversions_add_block(struct kp_conversion_table *table, const struct kp_counter_block *block)
{
    struct kp_entry_row *entry = kp_conversions_entry(table, block->entry);

    if (!entry)
        return;
    uint64_t rest = block->is_timed ? KP_TIMED_REST : 0;

    entry->fresh.threads += !block->is_timed;
    for (int row = 0; row < KP_API_ROWS; row++) {
        entry->fresh.calls[row] += block->rows[row].calls - rest;
        entry->fresh.amounts[row] += block->rows[row].amount;
    }
}

bool kp_conversions_end_counts(struct kp_conversion_table *table)
{
    bool changed = false;

    for (uint32_t id = 1; id < table->entry_end; id++) {
        struct kp_entry_row *entry = table->entries[id];

        if (!entry || !memcmp(&entry->counts, &entry->fresh, sizeof entry->counts))
            continue;
        entry->counts = entry->fresh;
        entry->dirty = changed = true;
    }
    return changed;
}

struct kp_call_sums *kp_conversions_calls(struct kp_conversion_table *table, uint32_t entry,
                                          uint32_t stack)
{
    uint64_t hash = kp_hash2(stack, entry);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&table->call_index, hash, &at)))
        if (table->calls[id]->stack == stack && table->calls[id]->entry == entry)
            return table->calls[id];
    id = ++table->call_count;
    table->calls =
        kp_array_grow(table->calls, &table->call_capacity, (size_t)id + 1, sizeof *table->calls);
    struct kp_call_sums *sums = table->calls[id] = kp_alloc(sizeof *sums);
    sums->entry = (uint16_t)entry;
    sums->stack = stack;
    kp_index_insert(&table->call_index, hash, id);
    return sums;
}

static void weigh(struct kp_call_sum *sum, double weight, uint64_t ns)
{
    double value = (double)ns, spread = weight * (weight - 1);

    sum->value += weight * value;
    sum->variance += spread * value * value;
    sum->covariance += spread * value;
}

void kp_conversions_add_activation(struct kp_conversion_table *table, uint32_t stack,
                                   const struct kp_rec_activation *record)
{
    struct kp_call_sums *sums = kp_conversions_calls(table, record->entry, stack);
    double weight = record->weight;

    sums->dirty = true;
    sums->samples++;
    sums->calls += weight;
    sums->calls_variance += weight * (weight - 1);
    sums->wait_ns += weight * (double)record->wait_ns;
    sums->released_ns += weight * (double)record->released_ns;
    sums->conversions[KP_TO_PYTHON] += weight * record->conversions[KP_TO_PYTHON];
    sums->conversions[KP_FROM_PYTHON] += weight * record->conversions[KP_FROM_PYTHON];
    sums->strings += weight * record->strings;
    sums->repeated += weight * record->repeated;
    weigh(&sums->times[KP_CALL_TOTAL], weight, record->total_ns);
    weigh(&sums->times[KP_CALL_CONVERTING], weight, record->converting_ns);
    weigh(&sums->times[KP_CALL_TO_PYTHON], weight, record->direction_ns[KP_TO_PYTHON]);
    weigh(&sums->times[KP_CALL_FROM_PYTHON], weight, record->direction_ns[KP_FROM_PYTHON]);
}

void kp_conversions_settle(struct kp_conversion_table *table)
{
    for (uint32_t id = 1; id < table->entry_end; id++)
        if (table->entries[id])
            table->entries[id]->dirty = false;
    for (uint32_t i = 1; i <= table->call_count; i++)
        table->calls[i]->dirty = false;
}

const char *kp_entry_kind_name(unsigned kind)
{
    static const char *const names[] = {[KP_ENTRY_METHOD] = "method",
                                        [KP_ENTRY_SLOT] = "slot",
                                        [KP_ENTRY_THREAD] = "thread",
                                        [KP_ENTRY_MODULE] = "module"};

    return names[kind];
}

#define ROW(name, class, direction, objects, copies, unit, read)                                   \
    {#name, KP_API_##class, KP_##direction, objects, copies, KP_UNIT_##unit},
const struct kp_api_info kp_api_rows[KP_API_ROWS] = {KP_CONVERSION_API(ROW)};

const char *kp_unit_name(enum kp_unit unit)
{
    static const char *const names[] = {"", "bytes", "items", "ns"};

    return names[unit];
}

const char *kp_direction_name(enum kp_direction direction)
{
    static const char *const names[] = {"to_python", "from_python", ""};

    return names[direction];
}
