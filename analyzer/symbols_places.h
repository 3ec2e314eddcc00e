/* SPDX-License-Identifier: MIT */
/*
 * Source positions that a Rust program keeps for its panic messages (core::panic::Location). A
 * function that may panic refers to them, so they tell where its source is when nothing else does.
 */
#ifndef KP_SYMBOLS_PLACES_H
#define KP_SYMBOLS_PLACES_H

#include "symbols_pointers.h"

enum kp_place_origin {
    KP_PLACE_OWN,    /* of the code that was built here */
    KP_PLACE_CRATE,  /* of a crate that came from elsewhere */
    KP_PLACE_LIBRARY /* of Rust's own library, which is inlined everywhere */
};
struct kp_place {
    uint64_t address;  /* of the record */
    const char *file;  /* as the compiler was given it; not terminated, belongs to the Elf */
    uint32_t length;   /* of `file` */
    uint32_t line;
    uint32_t functions; /* how many refer to it */
    enum kp_place_origin origin;
};
struct kp_places {
    struct kp_place *all; /* by address */
    size_t count;
};

/* -1: no memory */
int kp_places_init(struct kp_places *places, const struct kp_image *image,
                   const struct kp_pointers *pointers);
void kp_places_release(struct kp_places *places);
/* The one that starts exactly there, or NULL. */
struct kp_place *kp_places_find(const struct kp_places *places, uint64_t address);
bool kp_place_same_file(const struct kp_place *a, const struct kp_place *b);

#endif
