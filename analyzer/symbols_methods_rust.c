/* SPDX-License-Identifier: MIT */
/*
 * PyClassItems has two slices: of PyType_Slot, and of PyMethodDefType, whose layout is up to the
 * compiler. What is sure: a slice is a pointer and a count; each record of the second holds one
 * function, and a name with its length behind it (which counts the NUL). As the slice says where the
 * first record starts, it does not matter in which order they stand; names without it would be off by
 * one as often as not. Runs in the collector and the reports, on one thread.
 */
#include "symbols_methods_rust.h"

#include "symbols_slots.h"

#include <string.h>

#define KP_RECORDS_MAX 1000
#define KP_RECORD_MIN 32 /* bytes of a PyMethodDefType: 56 in all versions so far */
#define KP_RECORD_MAX 96

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
        } else if (kp_field_number(fields, slot, &number) &&
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

/* A single record with a small number and a function may be anything, but for the constructor. */
static bool are_slots(const struct kp_fields *fields, uint64_t table, uint64_t count)
{
    uint64_t number, before = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!kp_field_number(fields, table + 16 * i, &number) || !kp_slot_name(number) ||
            number == before || kp_field_function(fields, table + 16 * i + 8) < 0)
            return false;
        before = number;
    }
    return count > 1 || strcmp(kp_slot_name(number), "tp_new") == 0;
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

int kp_methods_of_pyo3(struct kp_methods *methods, const struct kp_fields *fields,
                       const struct kp_pointer *pointer)
{
    uint64_t count, table = pointer->target;
    if (pointer->name || !kp_field_number(fields, pointer->slot + 8, &count) || count == 0 ||
        count > KP_RECORDS_MAX || !kp_image_at(fields->image, table, KP_RECORD_MIN))
        return 0;
    if (are_slots(fields, table, count))
        return name_slots(methods, fields, table, count);
    for (uint64_t bytes = KP_RECORD_MIN; bytes <= KP_RECORD_MAX; bytes += 8)
        if (are_records(fields, table, count, bytes))
            return name_records(methods, fields, table, count, bytes);
    return 0;
}
