/* SPDX-License-Identifier: MIT */
/*
 * Every pointer is looked at with what stands around it: PyMethodDef, PyGetSetDef, static types and
 * PyType_Spec of CPython's API, and what PyO3 makes such tables from. A record is believed only when
 * all its fields make sense; a wrong name would be worse than none. Runs in the collector and the
 * reports, on one thread.
 */
#include "symbols_methods.h"

#include "symbols_fields.h"
#include "symbols_methods_rust.h"
#include "symbols_slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KP_SLOTS_MAX 100 /* records of one type's table */

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

/* PyMethodDef: {name, function, flags, doc} */
static const char *as_method(const struct kp_fields *fields, uint64_t slot)
{
    uint64_t flags;
    const char *name = kp_field_word(fields, slot - 8, "");
    return name && kp_field_number(fields, slot + 8, &flags) && kp_is_method_flags(flags) &&
                   kp_field_may_be_text(fields, slot + 16)
               ? name
               : NULL;
}

static bool is_getset(const struct kp_fields *fields, uint64_t record)
{
    return kp_field_word(fields, record, "") && kp_field_may_be_function(fields, record + 8) &&
           kp_field_may_be_function(fields, record + 16) &&
           kp_field_may_be_text(fields, record + 24);
}

/* PyGetSetDef: {name, get, set, doc, closure}, followed by another or by zeros */
static const char *as_getset(const struct kp_fields *fields, uint64_t slot, const char **kind)
{
    for (uint64_t back = 8; back <= 16; back += 8) {
        uint64_t record = slot - back, next = record + 40, number[2];
        bool last = kp_field_number(fields, next, &number[0]) &&
                    kp_field_number(fields, next + 8, &number[1]) && !number[0] && !number[1];
        *kind = back == 8 ? "getter" : "setter";
        if (is_getset(fields, record) && (last || is_getset(fields, next)))
            return kp_field_word(fields, record, "");
    }
    return NULL;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
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

/* The name of a static type whose field this is; *field is the field's. */
static const char *as_type(const struct kp_fields *fields, uint64_t slot, const char **field)
{
    for (size_t i = 0; i < kp_type_field_count; i++) {
        uint64_t type = slot - kp_type_fields[i].offset;
        const char *name = kp_field_word(fields, type + 24, ".");
        *field = kp_type_fields[i].name;
        if (name && is_type(fields, type))
            return last_part(name);
    }
    return NULL;
}

static int name_by_field(struct kp_methods *methods, const struct kp_fields *fields,
                         const struct kp_pointer *pointer)
{
    int64_t function = pointer->name ? -1 : kp_function_at(fields, pointer->target);
    const char *kind = "method", *name, *field;
    if (function < 0)
        return 0;
    if ((name = as_type(fields, pointer->slot, &field)))
        return kp_methods_set(methods, function, name, field, "slot");
    if ((name = as_method(fields, pointer->slot)) ||
        (name = as_getset(fields, pointer->slot, &kind)))
        return kp_methods_set(methods, function, "", name, kind);
    return 0;
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

/* PyType_Slot: {number, function or data} up to zeros. How many there are; 0: it is no such table. */
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
    }
    return 0;
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
    for (size_t i = 0; i < pointers->count; i++) {
        const struct kp_pointer *pointer = &pointers->all[i];
        if (name_by_field(methods, &fields, pointer) != 0 ||
            name_by_spec(methods, &fields, pointer) != 0 ||
            kp_methods_of_pyo3(methods, &fields, pointer) != 0)
            return -1;
    }
    return 0;
}

void kp_methods_release(struct kp_methods *methods)
{
    for (size_t i = 0; i < methods->count; i++)
        free(methods->names[i]);
    free(methods->names);
    *methods = (struct kp_methods){0};
}
