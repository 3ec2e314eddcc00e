/* SPDX-License-Identifier: MIT */
/*
 * Which words of a file's data are pointers, and to what: its dynamic relocations.
 */
#ifndef KP_SYMBOLS_POINTERS_H
#define KP_SYMBOLS_POINTERS_H

#include "symbols_image.h"

struct kp_pointer {
    uint64_t slot;
    uint64_t target;  /* 0 for an import */
    const char *name; /* of an import, else NULL; belongs to the Elf */
};
struct kp_pointers {
    struct kp_pointer *all; /* by slot, one each */
    size_t count, room;
};

/* -1: no memory */
int kp_pointers_init(struct kp_pointers *pointers, const struct kp_image *image);
void kp_pointers_release(struct kp_pointers *pointers);
/* NULL: no pointer lies there */
const struct kp_pointer *kp_pointers_find(const struct kp_pointers *pointers, uint64_t slot);

#endif
