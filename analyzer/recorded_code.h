/* SPDX-License-Identifier: MIT */
/*
 * The Python code objects of one process, by the shim's id, with the line tables that come behind
 * each in pieces. What they have in common with other processes is in the stack tree. One thread.
 */
#ifndef KP_RECORDED_CODE_H
#define KP_RECORDED_CODE_H

#include "linetable.h"
#include "record.h"

#include <stddef.h>
#include <stdint.h>

struct kp_recorded_code {
    uint32_t id;   /* the shim's */
    uint32_t code; /* in the stack tree */
    struct kp_linetable lines;
};

struct kp_recorded_codes {
    struct kp_recorded_code *codes; /* in order of id */
    size_t capacity;
    uint32_t count;
    uint8_t *last_bytes; /* the line table of the last code, which may still grow */
    size_t last_capacity;
};

void kp_recorded_codes_release(struct kp_recorded_codes *table);

/* 1: its id does not rise. */
int kp_recorded_codes_add(struct kp_recorded_codes *table, const struct kp_rec_code *record,
                          uint32_t code);
/* 1: it does not go on where the last piece ended. */
int kp_recorded_codes_append(struct kp_recorded_codes *table,
                             const struct kp_rec_code_table *piece);
/* NULL: there is no such code. */
const struct kp_recorded_code *kp_recorded_codes_find(const struct kp_recorded_codes *table,
                                                      uint32_t id);

#endif
