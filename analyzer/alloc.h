/* SPDX-License-Identifier: MIT */
/*
 * Memory of the analyzer. Being out of it ends the process (status 1): what has been committed is
 * safe and the spool stays, so that the work is taken up where it stopped, as after any kill.
 */
#ifndef KP_ALLOC_H
#define KP_ALLOC_H

#include <stddef.h>

/* Zeroed. */
void *kp_alloc(size_t bytes);
/* Grows an array of `*capacity` elements, if needed, so that it has room for `needed`. New room is
 * not zeroed. */
void *kp_array_grow(void *array, size_t *capacity, size_t needed, size_t element_bytes);
/* A copy of the bytes with a NUL behind it. */
char *kp_copy_text(const void *text, size_t bytes);

#endif
