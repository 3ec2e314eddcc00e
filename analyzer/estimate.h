/* SPDX-License-Identifier: MIT */
/*
 * From sums over weighted samples to a figure with its 95 % interval. Add sums freely; make an
 * estimate once, at the end. Pure functions, any thread.
 */
#ifndef KP_ESTIMATE_H
#define KP_ESTIMATE_H

#include <stdint.h>

/* A sum of weighted samples, in bytes or in blocks. Invariant: all fields finite and >= 0. */
struct kp_sum {
    double value;      /* sum of the weights */
    double variance;   /* estimated from the samples themselves */
    double weight_max; /* the largest weight of one sample */
    double gap; /* what lies between two samples on average; 0: nothing, every block is here */
    int64_t samples;
    double lost; /* of each sample that is here, so many were lost; raises the upper end */
};

struct kp_estimate {
    double value, low, high;
};

/* The gap of a sum of bytes, and of a sum of blocks, drawn at one sample per rate_bytes. */
double kp_gap_bytes(double rate_bytes);
double kp_gap_blocks(double rate_bytes);

void kp_sum_add(struct kp_sum *sum, const struct kp_sum *other);
struct kp_estimate kp_estimate_of(const struct kp_sum *sum);

/* The larger of the two half-widths as a share of the value; 0 when exact, INFINITY when the value
 * is 0. */
double kp_estimate_spread(const struct kp_estimate *estimate);

/* The p-quantile of the chi-squared distribution, df > 0 real. Relative error below 1e-8. */
double kp_chi2_quantile(double p, double df);

#endif
