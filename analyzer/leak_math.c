/* SPDX-License-Identifier: MIT */
/*
 * Sources of the formulas: leak_math.h. The series and fractions are cut where a double has no more
 * digits. Pure functions, any thread.
 */
#include "leak_math.h"

#include <math.h>
#include <stdlib.h>

#define DF_MANY 1e6

/* The continued fraction of the incomplete beta function, by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), h = d;
    for (int m = 1; m < 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        h *= d * c;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return h;
}

static double beta_incomplete(double a, double b, double x)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double kp_t_tail(double t, double df)
{
    if (isnan(t))
        return 1;
    if (df > DF_MANY)
        return erfc(t / sqrt(2)) / 2;
    double both = beta_incomplete(df / 2, 0.5, df / (df + t * t));
    return t > 0 ? both / 2 : 1 - both / 2;
}

double kp_t_quantile(double p, double df)
{
    double low = 0, high = 1;
    while (kp_t_tail(high, df) > p && high < 1e12)
        high *= 2;
    for (int i = 0; i < 100 && high - low > 1e-12 * high; i++) {
        double middle = (low + high) / 2;
        *(kp_t_tail(middle, df) > p ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

double kp_ks_tail(double distance, size_t n)
{
    double root = sqrt((double)n), lambda = (root + 0.12 + 0.11 / root) * distance, sum = 0;
    if (lambda < 0.3)
        return 1;
    for (int j = 1; j < 100; j++)
        sum += (j & 1 ? 2 : -2) * exp(-2 * lambda * lambda * j * j);
    return fmin(fmax(sum, 0), 1);
}

struct kp_estimate kp_poisson_interval(double count)
{
    struct kp_estimate e = {count, 0, 0};
    if (count > 0)
        e.low = kp_chi2_quantile(0.025, 2 * count) / 2;
    e.high = kp_chi2_quantile(0.975, 2 * count + 2) / 2;
    return e;
}

static int compare_p(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void kp_benjamini_hochberg(const double *p, size_t count, double q, bool *rejected)
{
    double *sorted = calloc(count + 1, sizeof *sorted), limit = -1;
    for (size_t i = 0; sorted && i < count; i++)
        sorted[i] = p[i];
    if (sorted)
        qsort(sorted, count, sizeof *sorted, compare_p);
    for (size_t i = 0; sorted && i < count; i++)
        if (sorted[i] <= q * (double)(i + 1) / (double)count)
            limit = sorted[i];
    for (size_t i = 0; i < count; i++)
        rejected[i] = p[i] <= limit;
    free(sorted);
}

struct kp_welch kp_welch_compare(const struct kp_measured *now, const struct kp_measured *before)
{
    double a = now->error * now->error, b = before->error * before->error, df = DF_MANY * 2;
    double parts = (now->df > 0 ? a * a / now->df : 0) + (before->df > 0 ? b * b / before->df : 0);
    double difference = now->value - before->value, error = sqrt(a + b);
    if (parts > 0)
        df = fmin((a + b) * (a + b) / parts, df);
    double half = kp_t_quantile(0.025, df) * error;
    double p = error > 0 ? 2 * kp_t_tail(fabs(difference) / error, df) : difference == 0;
    return (struct kp_welch){{difference, difference - half, difference + half}, p};
}
