/* SPDX-License-Identifier: MIT */
/*
 * A word is a pointer if and only if a relocation says so: that is what tells a table from numbers
 * that look like one. Runs in the collector and the reports, on one thread.
 */
#include "symbols_fields.h"

#include <ctype.h>
#include <string.h>

#define KP_WORD_MAX 200

int64_t kp_function_at(const struct kp_fields *fields, uint64_t address)
{
    const struct kp_range *function = kp_ranges_find(fields->functions, address);
    return function && function->start == address ? function - fields->functions->all : -1;
}

int64_t kp_field_function(const struct kp_fields *fields, uint64_t slot)
{
    const struct kp_pointer *pointer = kp_pointers_find(fields->pointers, slot);
    return pointer && !pointer->name ? kp_function_at(fields, pointer->target) : -1;
}

static bool is_word(const char *text, const char *also)
{
    if (!*text || isdigit((unsigned char)*text))
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && !strchr(also, *c))
            return false;
    return true;
}

const char *kp_field_word(const struct kp_fields *fields, uint64_t slot, const char *also)
{
    const struct kp_pointer *pointer = kp_pointers_find(fields->pointers, slot);
    const char *text = pointer && !pointer->name
                           ? kp_image_string(fields->image, pointer->target, KP_WORD_MAX)
                           : NULL;
    return text && is_word(text, also) ? text : NULL;
}

bool kp_field_number(const struct kp_fields *fields, uint64_t slot, uint64_t *number)
{
    return !kp_pointers_find(fields->pointers, slot) &&
           kp_image_word(fields->image, slot, number);
}

static bool is_zero(const struct kp_fields *fields, uint64_t slot)
{
    uint64_t number;
    return kp_field_number(fields, slot, &number) && number == 0;
}

bool kp_field_may_be_function(const struct kp_fields *fields, uint64_t slot)
{
    const struct kp_pointer *pointer = kp_pointers_find(fields->pointers, slot);
    if (!pointer)
        return is_zero(fields, slot);
    return pointer->name || kp_function_at(fields, pointer->target) >= 0;
}

bool kp_field_may_be_text(const struct kp_fields *fields, uint64_t slot)
{
    const struct kp_pointer *pointer = kp_pointers_find(fields->pointers, slot);
    if (!pointer)
        return is_zero(fields, slot);
    return !pointer->name && kp_image_rest(fields->image, pointer->target) > 0 &&
           kp_function_at(fields, pointer->target) < 0;
}

/* METH_VARARGS, NOARGS, O or FASTCALL, with KEYWORDS, CLASS, STATIC, COEXIST and METHOD. */
bool kp_is_method_flags(uint64_t flags)
{
    uint64_t kind = flags & 0x8f;
    return (flags & ~UINT64_C(0x2ff)) == 0 &&
           (kind == 1 || kind == 3 || kind == 4 || kind == 8 || kind == 0x80 || kind == 0x82);
}
