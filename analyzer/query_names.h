/* SPDX-License-Identifier: MIT */
/*
 * A pool of texts, each stored once, so that equal texts have equal addresses. One thread.
 */
#ifndef KP_QUERY_NAMES_H
#define KP_QUERY_NAMES_H

#include <stddef.h>

struct kp_names {
    const char **slots; /* open addressing; a power of two, at most half full */
    size_t capacity, count;
    char *block; /* the one that is being filled; its first word links to the one before */
    size_t block_used, block_bytes;
};

/* The pooled copy of text; "" when there is no memory for it. */
const char *kp_names_add(struct kp_names *names, const char *text);
void kp_names_release(struct kp_names *names);

#endif
