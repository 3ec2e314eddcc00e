/* SPDX-License-Identifier: MIT */
/*
 * Samples that were freed when the work was done. A program that ends in order takes down what it
 * has built, its leaks with the rest: what was live at its last iteration is known only if those
 * frees are remembered. Kept are samples that were freed after the latest mark of their process
 * (without marks: in the last tenth of its life), and only those that had lived for a fiftieth of
 * the time that had passed: younger ones say nothing about leaks. One thread.
 */
#ifndef KP_DEPARTED_H
#define KP_DEPARTED_H

#include "live_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_DEPARTED_MAX 65536u /* without marks; more: the earliest go */

struct kp_departed_sample {
    int64_t site; /* row */
    uint64_t size, born_us, born_iteration, freed_us, freed_iteration;
    double weight;
};

struct kp_departed {
    struct kp_departed_sample *samples; /* in order of arrival */
    size_t capacity, count, stored;     /* the first `stored` have rows */
    uint64_t last_mark, started_us, now_us;
    bool may_have_rows;
};

/* A sample is being freed at this moment. */
void kp_departed_add(struct kp_departed *departed, const struct kp_live_sample *sample,
                     uint64_t now_us, uint64_t iteration);
/* What was freed before these is over and done with. */
uint64_t kp_departed_since_us(const struct kp_departed *departed);
bool kp_departed_is_kept(const struct kp_departed *departed,
                         const struct kp_departed_sample *sample);
/* All that is kept has its row. */
void kp_departed_settle(struct kp_departed *departed);
void kp_departed_release(struct kp_departed *departed);

#endif
