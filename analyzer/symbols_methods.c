/* SPDX-License-Identifier: MIT */
/*
 * Every pointer is looked at with what stands around it: is it a static type's name, the table of a
 * PyType_Spec, the name in a PyMethodDef, or one of the tables that PyO3 makes such ones from? A
 * record is believed only when all its fields make sense; a wrong name would be worse than none.
 * Runs in the collector and the reports, on one thread.
 */
#include "symbols_methods.h"

#include "symbols_fields.h"
#include "symbols_methods_rust.h"
#include "symbols_slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KP_SLOTS_MAX 100    /* records of one type's table */
#define KP_RECORDS_MAX 1000 /* methods of one type */

int kp_methods_set(struct kp_methods *methods, int64_t function, const char *type,
                   const char *name, const char *kind)
{
    char *text = NULL;
    if (methods->names[function])
        return 0;
    if (asprintf(&text, "%s%s%s (%s)", type, *type ? "." : "", name, kind) < 0)
        return -1;
    methods->names[function] = text;
    return 0;
}

/* PyMethodDef: {name, function, flags, doc}. Returns the name. */
static const char *read_method(const struct kp_fields *fields, uint64_t record)
{
    uint64_t flags;
    const char *name = kp_field_word(fields, record, "");
    return name && kp_field_function(fields, record + 8) >= 0 &&
                   kp_field_number(fields, record + 16, &flags) && kp_is_method_flags(flags) &&
                   kp_field_may_be_text(fields, record + 24)
               ? name
               : NULL;
}

static bool are_zeros(const struct kp_fields *fields, uint64_t start, uint64_t bytes)
{
    uint64_t number;
    for (uint64_t slot = start; slot < start + bytes; slot += 8)
        if (!kp_field_number(fields, slot, &number) || number != 0)
            return false;
    return true;
}

/* One that nothing is known to point to must have a text, or be one of several, or the last of a
 * table: OpenSSL's ASN1_TEMPLATE would pass for one otherwise. */
static const char *read_lone_method(const struct kp_fields *fields, uint64_t record)
{
    const char *name = read_method(fields, record);
    return name && (kp_pointers_find(fields->pointers, record + 24) ||
                    read_method(fields, record + 32) || read_method(fields, record - 32) ||
                    are_zeros(fields, record + 32, 32))
               ? name
               : NULL;
}

static int name_methods(struct kp_methods *methods, const struct kp_fields *fields, uint64_t table,
                        const char *type)
{
    const char *name;
    for (size_t i = 0; i < KP_RECORDS_MAX && (name = read_method(fields, table)); i++) {
        if (kp_methods_set(methods, kp_field_function(fields, table + 8), type, name,
                           "method") != 0)
            return -1;
        table += 32;
    }
    return 0;
}

/* PyGetSetDef: {name, get, set, doc, closure} */
static int name_getset(struct kp_methods *methods, const struct kp_fields *fields, uint64_t table,
                       const char *type)
{
    static const char *const kinds[] = {"getter", "setter"};
    for (size_t i = 0; i < KP_RECORDS_MAX; i++, table += 40) {
        const char *name = kp_field_word(fields, table, "");
        if (!name || !kp_field_may_be_function(fields, table + 8) ||
            !kp_field_may_be_function(fields, table + 16) ||
            !kp_field_may_be_text(fields, table + 24))
            break;
        for (uint64_t k = 0; k < 2; k++) {
            int64_t function = kp_field_function(fields, table + 8 + 8 * k);
            if (function >= 0 && kp_methods_set(methods, function, type, name, kinds[k]) != 0)
                return -1;
        }
    }
    return 0;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* The tables that the pointers at these slots point to, if any do. */
static int name_tables(struct kp_methods *methods, const struct kp_fields *fields,
                       uint64_t methods_slot, uint64_t getset_slot, const char *type)
{
    const struct kp_pointer *table = kp_pointers_find(fields->pointers, methods_slot);
    if (table && name_methods(methods, fields, table->target, type) != 0)
        return -1;
    table = kp_pointers_find(fields->pointers, getset_slot);
    return table ? name_getset(methods, fields, table->target, type) : 0;
}

/* PyTypeObject, static */
static bool is_type(const struct kp_fields *fields, uint64_t type)
{
    static const uint16_t data[] = {80, 96, 104, 112, 160, 176, 232, 240, 248};
    uint64_t references, size, basic, item;
    if (!kp_field_number(fields, type, &references) || references == 0 ||
        !kp_field_number(fields, type + 16, &size) || size != 0 ||
        !kp_field_number(fields, type + 32, &basic) || basic >= 1 << 20 ||
        !kp_field_number(fields, type + 40, &item) || item >= 1 << 16)
        return false;
    for (size_t i = 0; i < kp_type_field_count; i++)
        if (!kp_field_may_be_function(fields, type + kp_type_fields[i].offset))
            return false;
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        if (!kp_field_may_be_text(fields, type + data[i]))
            return false;
    return true;
}

/* All functions of the static type whose tp_name `pointer` is, if it is one. */
static int name_by_type(struct kp_methods *methods, const struct kp_fields *fields,
                        const struct kp_pointer *pointer)
{
    uint64_t type = pointer->slot - KP_TYPE_NAME;
    const char *name = kp_field_word(fields, pointer->slot, "."), *last;
    if (!name || !is_type(fields, type))
        return 0;
    last = last_part(name);
    for (size_t i = 0; i < kp_type_field_count; i++) {
        int64_t function = kp_field_function(fields, type + kp_type_fields[i].offset);
        if (function >= 0 &&
            kp_methods_set(methods, function, last, kp_type_fields[i].name, "slot") != 0)
            return -1;
    }
    return name_tables(methods, fields, type + KP_TYPE_METHODS, type + KP_TYPE_GETSET, last);
}

/* PyType_Spec: {name, sizes, flags, slots}; `pointer` is the last. Returns the name. */
static const char *as_spec(const struct kp_fields *fields, const struct kp_pointer *pointer)
{
    uint64_t sizes, flags;
    const char *name = kp_field_word(fields, pointer->slot - 24, ".");
    return name && !pointer->name && kp_field_number(fields, pointer->slot - 16, &sizes) &&
                   (uint32_t)sizes < 1 << 20 && sizes >> 32 < 1 << 16 &&
                   kp_field_number(fields, pointer->slot - 8, &flags) && flags >> 32 == 0
               ? last_part(name)
               : NULL;
}

/* PyType_Slot: {number, function or data} up to zeros. How many; 0: it is no such table. */
static size_t count_slots(const struct kp_fields *fields, uint64_t table)
{
    uint64_t number;
    for (size_t i = 0; i < KP_SLOTS_MAX; i++) {
        if (!kp_field_number(fields, table + 16 * i, &number))
            return 0;
        if (number == 0)
            return i;
        if (!kp_slot_name(number))
            return 0;
    }
    return 0;
}

static int name_by_spec(struct kp_methods *methods, const struct kp_fields *fields,
                        const struct kp_pointer *pointer)
{
    const char *type = as_spec(fields, pointer);
    size_t count = type ? count_slots(fields, pointer->target) : 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t record = pointer->target + 16 * i, number;
        int64_t function = kp_field_function(fields, record + 8);
        kp_field_number(fields, record, &number);
        if (function >= 0 &&
            kp_methods_set(methods, function, type, kp_slot_name(number), "slot") != 0)
            return -1;
        if (name_tables(methods, fields, number == KP_SLOT_METHODS ? record + 8 : 0,
                        number == KP_SLOT_GETSET ? record + 8 : 0, type) != 0)
            return -1;
    }
    return 0;
}

static int name_by_method(struct kp_methods *methods, const struct kp_fields *fields,
                          const struct kp_pointer *pointer)
{
    const char *name = read_lone_method(fields, pointer->slot);
    return name ? kp_methods_set(methods, kp_field_function(fields, pointer->slot + 8), "", name,
                                 "method")
                : 0;
}

static bool asks_for_python(const struct kp_pointers *pointers)
{
    for (size_t i = 0; i < pointers->count; i++)
        if (pointers->all[i].name && strncmp(pointers->all[i].name, "Py", 2) == 0)
            return true;
    return false;
}

int kp_methods_init(struct kp_methods *methods, const struct kp_image *image,
                    const struct kp_pointers *pointers, const struct kp_ranges *functions)
{
    struct kp_fields fields = {image, pointers, functions};
    *methods = (struct kp_methods){.names = calloc(functions->count + 1, sizeof(char *)),
                                   .count = functions->count};
    if (!methods->names)
        return -1;
    if (!asks_for_python(pointers))
        return 0;
    uint64_t record_bytes = kp_pyo3_record_bytes(&fields);
    for (size_t i = 0; i < pointers->count; i++)
        if (name_by_type(methods, &fields, &pointers->all[i]) != 0 ||
            name_by_spec(methods, &fields, &pointers->all[i]) != 0 ||
            kp_methods_of_pyo3(methods, &fields, &pointers->all[i], record_bytes) != 0)
            return -1;
    for (size_t i = 0; i < pointers->count; i++)
        if (name_by_method(methods, &fields, &pointers->all[i]) != 0)
            return -1;
    return 0;
}

void kp_methods_release(struct kp_methods *methods)
{
    for (size_t i = 0; i < methods->count; i++)
        free(methods->names[i]);
    free(methods->names);
    *methods = (struct kp_methods){0};
}
