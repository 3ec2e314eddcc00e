/* SPDX-License-Identifier: MIT */
/*
 * The three formats of CPython's line tables, see linetable.h. Each is a run of entries "so many
 * bytes of code, so many lines on". Sources: Objects/lnotab_notes.txt of 3.9 and 3.10, and
 * Objects/locations.md of 3.11 and later.
 */
#include "linetable.h"

#include "record.h"

#define NO_LINE INT64_MIN
#define UNKNOWN (INT64_MIN + 1) /* the table does not tell */
#define LINE_LIMIT (1LL << 40)  /* no sum overflows */

/* 3.9: pairs of bytes; a line holds from its address to the next one's, the last without end. */
static int64_t line_by_lnotab(const struct kp_linetable *table, uint32_t offset)
{
    int64_t line = table->first_line;
    uint64_t address = 0;

    for (size_t i = 0; i + 1 < table->count; i += 2) {
        address += table->bytes[i];
        if (address > offset)
            break;
        line += (int8_t)table->bytes[i + 1];
    }
    return line;
}

/* 3.10: pairs of bytes; each is the length of a range and the step to its line, -128 for none. */
static int64_t line_by_pep626(const struct kp_linetable *table, uint32_t offset)
{
    int64_t line = table->first_line;
    uint64_t end = 0;

    for (size_t i = 0; i + 1 < table->count; i += 2) {
        int8_t step = (int8_t)table->bytes[i + 1];

        end += table->bytes[i];
        if (step != -128)
            line += step;
        if (offset < end)
            return step == -128 ? NO_LINE : line;
    }
    return UNKNOWN;
}

/* Six bits a byte, the lowest first; bit 6 says that more follow. */
static int64_t signed_varint(const struct kp_linetable *table, size_t at)
{
    uint64_t value = 0;
    uint8_t byte = 0x40;

    for (unsigned shift = 0; byte & 0x40 && at < table->count && shift < 36; shift += 6) {
        byte = table->bytes[at++];
        value |= (uint64_t)(byte & 0x3f) << shift;
    }
    return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

enum location_code { ONE_LINE_0 = 10, ONE_LINE_2 = 12, NO_COLUMNS = 13, LONG = 14, NONE = 15 };

/* 3.11: the first byte of an entry has bit 7 set, its kind in bits 3-6, and its length in units of
 * two bytes less one below. Kinds below 10 are on the same line. */
static int64_t line_by_locations(const struct kp_linetable *table, uint32_t offset)
{
    int64_t line = table->first_line;
    uint64_t end = 0;

    for (size_t i = 0; i < table->count;) {
        unsigned code = table->bytes[i] >> 3 & 15;

        end += 2u * ((table->bytes[i] & 7u) + 1);
        if (code == LONG || code == NO_COLUMNS)
            line += signed_varint(table, i + 1);
        else if (code >= ONE_LINE_0 && code <= ONE_LINE_2)
            line += code - ONE_LINE_0;
        if (line > LINE_LIMIT || line < -LINE_LIMIT)
            return UNKNOWN;
        if (offset < end)
            return code == NONE ? NO_LINE : line;
        do
            i++;
        while (i < table->count && !(table->bytes[i] & 0x80));
    }
    return UNKNOWN;
}

static int64_t line_by_kind(const struct kp_linetable *table, uint32_t offset)
{
    switch (table->kind) {
    case KP_LINES_LNOTAB: return line_by_lnotab(table, offset);
    case KP_LINES_PEP626: return line_by_pep626(table, offset);
    case KP_LINES_LOCATIONS: return line_by_locations(table, offset);
    default: return UNKNOWN;
    }
}

uint32_t kp_linetable_line(const struct kp_linetable *table, uint32_t offset)
{
    int64_t line = offset == UINT32_MAX ? UNKNOWN : line_by_kind(table, offset);

    if (line == NO_LINE)
        return 0;
    return line >= 0 && line <= INT32_MAX ? (uint32_t)line : table->first_line;
}
