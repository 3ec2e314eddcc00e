/* SPDX-License-Identifier: MIT */
/*
 * With five runs a side the bootstrap of a median reaches from the least to the largest value, which
 * is as much as five runs can say: an effect is believed when the sides hardly overlap. Any thread.
 */
#include "bootstrap.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 4000
#define LOW 0.025
#define HIGH 0.975

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile_of_sorted(const double *values, size_t count, double q)
{
    if (count == 0)
        return NAN;
    double place = q * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count)
        return values[count - 1];
    return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

double kp_quantile(double *values, size_t count, double q)
{
    qsort(values, count, sizeof *values, compare);
    return quantile_of_sorted(values, count, q);
}

/* At most KP_BOOTSTRAP_MAX of the values, sorted. Returns how many. */
static size_t take(const double *values, size_t count, double *out)
{
    size_t taken = count < KP_BOOTSTRAP_MAX ? count : KP_BOOTSTRAP_MAX;
    for (size_t i = 0; i < taken; i++)
        out[i] = values[i * count / taken];
    if (taken > 0)
        qsort(out, taken, sizeof *out, compare);
    return taken;
}

double kp_median(const double *values, size_t count)
{
    double sorted[KP_BOOTSTRAP_MAX];
    return quantile_of_sorted(sorted, take(values, count, sorted), 0.5);
}

/* xorshift64*; the state is never 0. */
static size_t draw(uint64_t *state, size_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (size_t)((*state * 0x2545f4914f6cdd1dULL >> 32) * below >> 32);
}

/* The median of as many values drawn with repetition. The drawn places are counted, not sorted. */
static double redrawn_median(const double *sorted, size_t count, uint64_t *state)
{
    uint16_t times[KP_BOOTSTRAP_MAX] = {0};
    size_t middle = (count - 1) / 2, seen = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        times[draw(state, count)]++;
    while (seen + times[at] <= middle)
        seen += times[at++];
    double low = sorted[at];
    if (count % 2 == 1 || seen + times[at] > middle + 1)
        return low;
    do
        at++;
    while (times[at] == 0);
    return (low + sorted[at]) / 2;
}

struct kp_estimate kp_bootstrap_median(const double *values, size_t count)
{
    double sorted[KP_BOOTSTRAP_MAX], medians[RESAMPLES];
    uint64_t state = 0x9e3779b97f4a7c15ULL;
    size_t taken = take(values, count, sorted);
    if (taken == 0)
        return (struct kp_estimate){NAN, NAN, NAN};
    for (size_t i = 0; i < RESAMPLES; i++)
        medians[i] = redrawn_median(sorted, taken, &state);
    struct kp_estimate e = {quantile_of_sorted(sorted, taken, 0.5), 0, 0};
    e.low = kp_quantile(medians, RESAMPLES, LOW);
    e.high = quantile_of_sorted(medians, RESAMPLES, HIGH);
    return e;
}

struct kp_estimate kp_bootstrap_ratio(const double *above, size_t above_count, const double *below,
                                      size_t below_count)
{
    double a[KP_BOOTSTRAP_MAX], b[KP_BOOTSTRAP_MAX], ratios[RESAMPLES];
    uint64_t state = 0x9e3779b97f4a7c15ULL;
    size_t a_count = take(above, above_count, a), b_count = take(below, below_count, b);
    if (a_count == 0 || b_count == 0 || !(b[0] > 0))
        return (struct kp_estimate){NAN, NAN, NAN};
    for (size_t i = 0; i < RESAMPLES; i++) {
        double over = redrawn_median(a, a_count, &state);
        ratios[i] = over / redrawn_median(b, b_count, &state);
    }
    struct kp_estimate e = {
        quantile_of_sorted(a, a_count, 0.5) / quantile_of_sorted(b, b_count, 0.5), 0, 0};
    e.low = kp_quantile(ratios, RESAMPLES, LOW);
    e.high = quantile_of_sorted(ratios, RESAMPLES, HIGH);
    return e;
}

struct kp_line kp_line_fit(const double *x, const double *y, size_t count)
{
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / (double)count;
        mean_y += y[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    if (count < 2 || !(xx > 0))
        return (struct kp_line){mean_y, NAN};
    return (struct kp_line){mean_y - xy / xx * mean_x, xy / xx};
}
