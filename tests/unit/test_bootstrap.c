/* SPDX-License-Identifier: MIT */
/*
 * Medians, quantiles and intervals of ratios: closed forms, and the coverage of simulated runs. The
 * seeds are fixed, so that the outcome is the same on every run.
 */
#include "bootstrap.h"
#include "unit_check.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define TRIALS 1000

static double normal(uint64_t *state)
{
    double sum = 0; /* twelve uniforms: near enough */
    for (int i = 0; i < 12; i++) {
        *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
        sum += (double)(*state >> 11) / 9007199254740992.0;
    }
    return sum - 6;
}

static void test_quantiles(void)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, many[101];
    for (int i = 0; i < 101; i++)
        many[i] = 100 - i;
    kp_check(kp_median(odd, 3) == 3 && odd[0] == 5, "the median leaves the values as they are",
             "%g", kp_median(odd, 3));
    kp_check(kp_median(even, 4) == 2.5, "an even number has its median in between", "%g",
             kp_median(even, 4));
    kp_check(kp_quantile(many, 101, 0.95) == 95 && kp_quantile(many, 101, 1) == 100 &&
                 kp_quantile(many, 101, 0) == 0,
             "quantiles of 0 to 100", "%g", kp_quantile(many, 101, 0.95));
    kp_check(isnan(kp_median(NULL, 0)) && isnan(kp_bootstrap_median(NULL, 0).value) &&
                 isnan(kp_bootstrap_ratio(odd, 3, NULL, 0).value),
             "nothing has no median", "a number");
}

static void test_intervals(void)
{
    double five[] = {10, 12, 11, 14, 13}, same[] = {7, 7, 7, 7, 7}, four[] = {1, 2, 3, 4};
    struct kp_estimate e = kp_bootstrap_median(five, 5);
    kp_check(e.value == 12 && e.low == 10 && e.high == 14,
             "five runs: the interval reaches from the least to the largest", "%g (%g to %g)",
             e.value, e.low, e.high);
    e = kp_bootstrap_ratio(five, 5, same, 5);
    kp_check(fabs(e.value - 12.0 / 7) < 1e-12 && e.low == 10.0 / 7 && e.high == 2,
             "a ratio to a constant", "%g (%g to %g)", e.value, e.low, e.high);
    e = kp_bootstrap_median(four, 4);
    kp_check(e.value == 2.5 && e.low >= 1 && e.high <= 4 && e.low < 2 && e.high > 3,
             "an even number of runs", "%g (%g to %g)", e.value, e.low, e.high);
    struct kp_estimate again = kp_bootstrap_median(four, 4);
    kp_check(again.low == e.low && again.high == e.high, "the same figures, the same interval",
             "%g and %g", again.low, e.low);
}

/* How often the interval of the ratio of two equal sides has 1 in it. */
static void test_coverage(size_t runs)
{
    uint64_t state = 42;
    int covered = 0;
    double *a = malloc(runs * sizeof *a), *b = malloc(runs * sizeof *b);
    for (int t = 0; t < TRIALS; t++) {
        for (size_t i = 0; i < runs; i++) {
            a[i] = 100 + 5 * normal(&state);
            b[i] = 100 + 5 * normal(&state);
        }
        struct kp_estimate e = kp_bootstrap_ratio(a, runs, b, runs);
        covered += e.low <= 1 && e.high >= 1;
    }
    free(a);
    free(b);
    kp_check(covered >= 0.93 * TRIALS, "equal sides: 1 is in the interval in 93 % or more",
             "%d of %d with %zu runs", covered, TRIALS, runs);
}

static void test_line(void)
{
    double x[] = {1, 2, 4, 8}, y[] = {15, 25, 45, 85}, flat[] = {3, 3, 3, 3};
    struct kp_line line = kp_line_fit(x, y, 4);
    kp_check(fabs(line.start - 5) < 1e-9 && fabs(line.slope - 10) < 1e-9, "a straight line",
             "%g + %g x", line.start, line.slope);
    kp_check(isnan(kp_line_fit(flat, y, 4).slope), "no slope where x does not vary", "a number");
}

int main(void)
{
    test_quantiles();
    test_intervals();
    test_coverage(5);
    test_coverage(10);
    test_coverage(21);
    test_line();
    return kp_checks_failed();
}
