/* SPDX-License-Identifier: MIT */
/*
 * How a series of readings (bytes in use at iteration marks) goes on average: the valley method.
 *
 * Least squares on the readings themselves, Mann-Kendall and Theil-Sen take a warm-up, a cache or
 * the saw of a garbage collector for a leak in 17 to 100 % of runs. What is still there at the
 * lowest points is what stays.
 *
 *   valleys  the window is cut into blocks; of each, the lowest reading after the slope so far was
 *            taken out, twice over; as many readings of each as the poorest blocks have
 *   start    the last place where the valleys break (two lines fit better than one by the Bayesian
 *            information criterion, and the first one drawn on would be off by 6 % of the range),
 *            at most at 60 % of the window: the warm-up is before it
 *   onset    from the end backwards, the last two valleys that lie off the line through all later
 *            ones, and above it: what grows begins behind them
 *   rate     the line through the valleys since the start (least squares; their scatter and the
 *            correlation r of neighbours, variance times 1 + 2r, give the interval, Student's t)
 *   grows    the valley test: 10 blocks, d_j = v_{j+1} - v_j, mean(d) > 1.860 sd(d)/3. Catches a
 *            leak under a sawtooth; at most 1 % false on series that do not grow
 *   slowing  the second half is flatter by a third or more, and surely
 *
 *   log      a line fits the steps between valleys better than b ln t, or the start is too flat
 *
 * A slope, not a verdict: a cache that is filling grows as well. Pure functions, any thread.
 */
#ifndef KP_LEAK_TREND_H
#define KP_LEAK_TREND_H

#include "leak_math.h"

#include <stdbool.h>
#include <stddef.h>

#define KP_TREND_READINGS_MIN 20 /* for the valley test, and to find a start */
#define KP_TREND_READINGS_FEW 5  /* a line through so many is better than nothing */

struct kp_reading_point {
    double at, value; /* in order of `at` */
};

struct kp_trend {
    bool is_known; /* there were enough readings */
    bool grows, slowing;
    bool no_logarithm; /* it surely does not grow as the logarithm of the time does */
    double start;
    struct kp_estimate rate; /* per iteration */
    double error, df;
    double needed; /* of the smallest rate that would have been seen */
};

struct kp_trend_start {
    double at;    /* from here on it goes along one line; `begin`: all the time */
    double onset; /* the same, to the reading, where it can be told */
    bool begins;  /* before that it was flatter: what grows begins there */
};
struct kp_trend_start kp_trend_find_start(const struct kp_reading_point *points, size_t count,
                                          double begin, double end);
/* From `start` on. The values are known but for a factor with that relative error. */
struct kp_trend kp_trend_judge(const struct kp_reading_point *points, size_t count, double start,
                               double end, double factor_error);

#endif
