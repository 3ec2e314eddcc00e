/* SPDX-License-Identifier: MIT */
/*
 * PyClassItems has two slices: of PyType_Slot, and of PyMethodDefType, whose layout is up to the
 * compiler. What is sure: a slice is a pointer and a count; each record of the second holds one
 * function, and a name with its length behind it (which counts the NUL). As the slice says where
 * the first record starts, it does not matter in which order they stand; names without it would be
 * off by one as often as not. Runs in the collector and the reports, on one thread.
 */
#include "symbols_methods_rust.h"

#include "symbols_slots.h"

#include <string.h>

#define KP_RECORDS_MAX 1000
#define KP_RECORD_MIN 32   /* bytes of a PyMethodDefType */
#define KP_RECORD_USUAL 56 /* in all versions so far */
#define KP_RECORD_MAX 96
#define KP_SLOT_TP 47 /* the first slot whose number is no tag of a record */

struct record {
    const char *name;
    int64_t function;
    bool method; /* has flags */
};

/* The record at `start` makes sense: one function, one name. */
static bool read_record(const struct kp_fields *fields, uint64_t start, uint64_t bytes,
                        struct record *record)
{
    *record = (struct record){NULL, -1, false};
    for (uint64_t slot = start; slot < start + bytes; slot += 8) {
        uint64_t number;
        int64_t function = kp_field_function(fields, slot);
        const char *word = function < 0 ? kp_field_word(fields, slot, "") : NULL;
        if (function >= 0) {
            if (record->function >= 0)
                return false;
            record->function = function;
        } else if (word && kp_field_number(fields, slot + 8, &number) &&
                   number == strlen(word) + 1) {
            record->name = record->name ? record->name : word;
            slot += 8;
        } else if (slot > start && kp_field_number(fields, slot, &number) &&
                   !kp_field_word(fields, slot - 8, "") && kp_is_method_flags((uint32_t)number)) {
            record->method = true;
        }
    }
    return record->name && record->function >= 0;
}

static bool are_records(const struct kp_fields *fields, uint64_t table, uint64_t count,
                        uint64_t bytes)
{
    struct record record;
    for (uint64_t i = 0; i < count; i++)
        if (!read_record(fields, table + i * bytes, bytes, &record))
            return false;
    return true;
}

static int name_records(struct kp_methods *methods, const struct kp_fields *fields, uint64_t table,
                        uint64_t count, uint64_t bytes)
{
    struct record record;
    for (uint64_t i = 0; i < count; i++)
        if (read_record(fields, table + i * bytes, bytes, &record) &&
            kp_methods_set(methods, record.function, "", record.name,
                           record.method ? "method" : "attribute") != 0)
            return -1;
    return 0;
}

/* A single record with a small number and a function may be anything. */
static bool are_slots(const struct kp_fields *fields, uint64_t table, uint64_t count)
{
    uint64_t number = 0, before = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!kp_field_number(fields, table + 16 * i, &number) || !kp_slot_name(number) ||
            number == before || kp_field_function(fields, table + 16 * i + 8) < 0)
            return false;
        before = number;
    }
    return count > 1 || number >= KP_SLOT_TP;
}

static int name_slots(struct kp_methods *methods, const struct kp_fields *fields, uint64_t table,
                      uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t record = table + 16 * i, number;
        kp_field_number(fields, record, &number);
        if (kp_methods_set(methods, kp_field_function(fields, record + 8), "",
                           kp_slot_name(number), "slot") != 0)
            return -1;
    }
    return 0;
}

/* The slice at `pointer`, or 0. */
static uint64_t slice_count(const struct kp_fields *fields, const struct kp_pointer *pointer)
{
    uint64_t count;
    return !pointer->name && kp_field_number(fields, pointer->slot + 8, &count) &&
                   count <= KP_RECORDS_MAX &&
                   kp_image_at(fields->image, pointer->target, KP_RECORD_MIN)
               ? count
               : 0;
}

/* The size that fits the most slices of at least two: too small a one fits some by chance. */
uint64_t kp_pyo3_record_bytes(const struct kp_fields *fields)
{
    uint64_t fits[KP_RECORD_MAX / 8 + 1] = {0}, best = KP_RECORD_USUAL;
    for (size_t i = 0; i < fields->pointers->count; i++) {
        const struct kp_pointer *pointer = &fields->pointers->all[i];
        uint64_t count = slice_count(fields, pointer);
        for (uint64_t bytes = KP_RECORD_MIN; count > 1 && bytes <= KP_RECORD_MAX; bytes += 8)
            fits[bytes / 8] += are_records(fields, pointer->target, count, bytes);
    }
    for (uint64_t bytes = KP_RECORD_MIN; bytes <= KP_RECORD_MAX; bytes += 8)
        if (fits[bytes / 8] > fits[best / 8])
            best = bytes;
    return best;
}

int kp_methods_of_pyo3(struct kp_methods *methods, const struct kp_fields *fields,
                       const struct kp_pointer *pointer, uint64_t record_bytes)
{
    uint64_t count = slice_count(fields, pointer), table = pointer->target;
    if (count == 0)
        return 0;
    if (are_slots(fields, table, count))
        return name_slots(methods, fields, table, count);
    if (are_records(fields, table, count, record_bytes))
        return name_records(methods, fields, table, count, record_bytes);
    return 0;
}
