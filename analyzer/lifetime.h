/* SPDX-License-Identifier: MIT */
/*
 * How old freed samples were, folded by powers of two: what has been added since the last commit.
 * The rows in the database are added to, so that memory holds one batch only. One thread.
 */
#ifndef KP_LIFETIME_H
#define KP_LIFETIME_H

#include "id_index.h"

#include <stddef.h>
#include <stdint.h>

enum kp_age_unit { KP_AGE_TIME = 0, KP_AGE_ITERATION = 1 };

struct kp_lifetime {
    int64_t site; /* row */
    uint8_t unit; /* enum kp_age_unit */
    uint8_t log2_age;
    uint64_t samples;
    double bytes, count;
};

struct kp_lifetimes {
    struct kp_lifetime *all; /* [1 .. count] */
    size_t capacity;
    uint32_t count;
    struct kp_index index;
};

/* 0 for age 0, n for [2^(n-1), 2^n). */
static inline unsigned kp_log2_age(uint64_t age)
{
    return age ? 64 - (unsigned)__builtin_clzll(age) : 0;
}

void kp_lifetimes_add(struct kp_lifetimes *lifetimes, int64_t site, enum kp_age_unit unit,
                      uint64_t age, double bytes, double count);
/* They are in the database: starts anew. */
void kp_lifetimes_settle(struct kp_lifetimes *lifetimes);
void kp_lifetimes_release(struct kp_lifetimes *lifetimes);

#endif
