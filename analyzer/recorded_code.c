/* SPDX-License-Identifier: MIT */
/*
 * See recorded_code.h. Room for a line table is taken as its bytes arrive, so that memory stays
 * proportional to what is read, whatever a record says of its size.
 */
#include "recorded_code.h"

#include "alloc.h"
#include "decode.h"

#include <stdlib.h>
#include <string.h>

void kp_recorded_codes_release(struct kp_recorded_codes *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free((void *)table->codes[i].lines.bytes);
    free(table->codes);
    memset(table, 0, sizeof *table);
}

int kp_recorded_codes_add(struct kp_recorded_codes *table, const struct kp_rec_code *record,
                          uint32_t code)
{
    if (table->count && record->id <= table->codes[table->count - 1].id)
        return 1;
    table->codes = kp_array_grow(table->codes, &table->capacity, (size_t)table->count + 1,
                                 sizeof *table->codes);
    table->codes[table->count++] = (struct kp_recorded_code){
        record->id, code, {.kind = record->table_kind, .first_line = record->first_line}};
    table->last_bytes = NULL;
    table->last_capacity = 0;
    return 0;
}

int kp_recorded_codes_append(struct kp_recorded_codes *table, const struct kp_rec_code_table *piece)
{
    struct kp_recorded_code *last = table->count ? &table->codes[table->count - 1] : NULL;

    if (!last || piece->id != last->id || piece->offset != last->lines.count)
        return 1;
    if (piece->bytes == 0)
        return 0;
    table->last_bytes = kp_array_grow(table->last_bytes, &table->last_capacity,
                                      last->lines.count + piece->bytes, 1);
    memcpy(table->last_bytes + last->lines.count, kp_decode_code_table(piece), piece->bytes);
    last->lines.bytes = table->last_bytes;
    last->lines.count += piece->bytes;
    return 0;
}

const struct kp_recorded_code *kp_recorded_codes_find(const struct kp_recorded_codes *table,
                                                      uint32_t id)
{
    uint32_t low = 0, high = table->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (table->codes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->count && table->codes[low].id == id ? &table->codes[low] : NULL;
}
