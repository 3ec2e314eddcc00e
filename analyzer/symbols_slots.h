/* SPDX-License-Identifier: MIT */
/*
 * Names of the slots of a Python type: by their number in PyType_Slot, part of the stable ABI, and
 * by their place in a static PyTypeObject, the same since Python 3.4.
 */
#ifndef KP_SYMBOLS_SLOTS_H
#define KP_SYMBOLS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#define KP_TYPE_NAME 24 /* bytes into PyTypeObject */
#define KP_TYPE_METHODS 232
#define KP_TYPE_GETSET 248
#define KP_SLOT_METHODS 64 /* numbers of PyType_Slot */
#define KP_SLOT_GETSET 73

struct kp_type_field {
    uint16_t offset; /* bytes into PyTypeObject */
    const char *name;
};

extern const struct kp_type_field kp_type_fields[];
extern const size_t kp_type_field_count;

/* "tp_call"; NULL: no slot has this number */
const char *kp_slot_name(uint64_t number);

#endif
