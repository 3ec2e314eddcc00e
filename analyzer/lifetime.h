/* SPDX-License-Identifier: MIT */
/*
 * How old freed samples of a site were, folded by powers of two: what has been added since the last
 * commit. The rows in the database are added to, so that a site has one cell for each power that
 * occurs and no history. One thread.
 */
#ifndef KP_LIFETIME_H
#define KP_LIFETIME_H

#include <stdint.h>

enum kp_age_unit { KP_AGE_TIME = 0, KP_AGE_ITERATION = 1, KP_AGE_UNITS = 2 };

struct kp_age_cell {
    uint64_t samples;
    double bytes, count;
};

struct kp_lifetimes {
    struct kp_age_cell *cells[KP_AGE_UNITS]; /* by log2 of the age: [0, count) */
    uint8_t count[KP_AGE_UNITS];
};

/* 0 for age 0, n for [2^(n-1), 2^n). */
static inline unsigned kp_log2_age(uint64_t age)
{
    return age ? 64 - (unsigned)__builtin_clzll(age) : 0;
}

void kp_lifetimes_add(struct kp_lifetimes *lifetimes, enum kp_age_unit unit, uint64_t age,
                      double bytes, double count);
/* They are in the database: starts anew. */
void kp_lifetimes_settle(struct kp_lifetimes *lifetimes);
void kp_lifetimes_release(struct kp_lifetimes *lifetimes);

#endif
