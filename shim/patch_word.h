/* SPDX-License-Identifier: MIT */
/*
 * Storing a pointer into memory of a loaded object, read-only after relocation or not.
 */
#ifndef KP_PATCH_WORD_H
#define KP_PATCH_WORD_H

#include <stdbool.h>
#include <stdint.h>

/* A part of an object that the loader has made read-only; empty: from == to. */
struct kp_relro {
    uintptr_t from, to;
};

/* Stores when the place is in the writable part of an object, or in no object. What lies in a
 * read-only part is made writable for the moment. False: it could not be. Not for two threads at
 * once on the same page. */
bool kp_patch_word(void **place, void *value);

/* Makes it writable, or read-only again. False: the system does not allow it. */
bool kp_relro_open(const struct kp_relro *relro);
void kp_relro_close(const struct kp_relro *relro);

#endif
