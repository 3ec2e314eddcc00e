/* SPDX-License-Identifier: MIT */
/*
 * Medians of a handful of runs, and how sure they are: percentile bootstrap with a generator that
 * always starts the same, so that the same figures give the same interval. Pure functions, any
 * thread.
 */
#ifndef KP_BOOTSTRAP_H
#define KP_BOOTSTRAP_H

#include "estimate.h"

#include <stddef.h>

/* More values than this are thinned evenly. */
#define KP_BOOTSTRAP_MAX 400

/* The q-quantile, 0 <= q <= 1, between neighbours by interpolation; NAN of nothing. Sorts values. */
double kp_quantile(double *values, size_t count, double q);
/* The same without touching the values. */
double kp_median(const double *values, size_t count);

/* The median with its 95 % interval; value NAN when there is none. */
struct kp_estimate kp_bootstrap_median(const double *values, size_t count);
/* median(above) / median(below) with its 95 % interval; value NAN when it has no meaning. */
struct kp_estimate kp_bootstrap_ratio(const double *above, size_t above_count, const double *below,
                                      size_t below_count);

/* Least squares: y = start + slope * x. slope NAN when x does not vary. */
struct kp_line {
    double start, slope;
};
struct kp_line kp_line_fit(const double *x, const double *y, size_t count);

#endif
