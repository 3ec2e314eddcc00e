/* SPDX-License-Identifier: MIT */
/*
 * The distributions and tests that the leak analysis is made of. Pure functions, any thread.
 *
 *   Student's t    by the incomplete beta function (Press et al., Numerical Recipes 6.4)
 *   Kolmogorov     p of a one-sample distance, Stephens's correction for small n (J. R. Stat. Soc.
 *   and Smirnov    B 32, 1970)
 *   Poisson        exact interval of a mean (Garwood, Biometrika 28, 1936)
 *   many tests     Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995)
 *   two rates      Welch (Biometrika 34, 1947), degrees of freedom after Satterthwaite
 */
#ifndef KP_LEAK_MATH_H
#define KP_LEAK_MATH_H

#include "estimate.h"

#include <stdbool.h>
#include <stddef.h>

/* P(T > t), and the t that is exceeded with probability p, 0 < p < 0.5. df > 0 real. */
double kp_t_tail(double t, double df);
double kp_t_quantile(double p, double df);

/* P(distance >= d) for n values that are drawn from the distribution they are compared with. */
double kp_ks_tail(double distance, size_t n);

/* The 95 % interval of the mean of a Poisson count. */
struct kp_estimate kp_poisson_interval(double count);

/* rejected[i]: the hypothesis with p[i] falls, at a false discovery rate of q. */
void kp_benjamini_hochberg(const double *p, size_t count, double q, bool *rejected);

/* A rate that was measured: degrees of freedom 0 or less: from a great many. */
struct kp_measured {
    double value, error, df; /* error: its standard error */
};
struct kp_welch {
    struct kp_estimate difference; /* now - before */
    double p;                      /* of no difference, two-sided */
};
struct kp_welch kp_welch_compare(const struct kp_measured *now, const struct kp_measured *before);

#endif
