/* SPDX-License-Identifier: MIT */
/*
 * Fields of records in a file's data, for those who look for known tables in it: is there a
 * pointer, to what, or a number?
 */
#ifndef KP_SYMBOLS_FIELDS_H
#define KP_SYMBOLS_FIELDS_H

#include "symbols_pointers.h"
#include "symbols_ranges.h"

struct kp_fields {
    const struct kp_image *image;
    const struct kp_pointers *pointers;
    const struct kp_ranges *functions;
};

/* Index of the function that starts at `address`, or -1. */
int64_t kp_function_at(const struct kp_fields *fields, uint64_t address);
/* Index of the function to whose start the pointer at `slot` points, or -1. */
int64_t kp_field_function(const struct kp_fields *fields, uint64_t slot);
/* The identifier that the pointer at `slot` points to, or NULL; `also` may be in it, too. */
const char *kp_field_word(const struct kp_fields *fields, uint64_t slot, const char *also);
/* The number at `slot`; false when a pointer lies there, or nothing. */
bool kp_field_number(const struct kp_fields *fields, uint64_t slot, uint64_t *number);
/* Is it 0, or a pointer to a function or to text (data), as an optional field is? */
bool kp_field_may_be_function(const struct kp_fields *fields, uint64_t slot);
bool kp_field_may_be_text(const struct kp_fields *fields, uint64_t slot);

/* Is it a value of PyMethodDef.ml_flags? */
bool kp_is_method_flags(uint64_t flags);

#endif
