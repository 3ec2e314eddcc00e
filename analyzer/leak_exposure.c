/* SPDX-License-Identifier: MIT */
/*
 * A table of equal steps, between which stretched time runs evenly. Pure functions, any thread.
 */
#include "leak_exposure.h"
#include "weight.h"

#include <math.h>

static double step_of(const struct kp_exposure *e)
{
    return (e->end - e->begin) / KP_EXPOSURE_STEPS;
}

static double chance(double rate, double block_bytes)
{
    return rate > 1 ? -expm1(-KP_SAMPLED_BYTES(block_bytes) / rate) : 1;
}

void kp_exposure_make(struct kp_exposure *e, const struct kp_rate_at *rates, size_t count,
                      double begin, double end, double block_bytes)
{
    size_t next = 0;
    e->begin = begin;
    e->end = end;
    e->seen[0] = 0;
    for (int i = 0; i < KP_EXPOSURE_STEPS; i++) {
        double at = begin + (i + 0.5) * step_of(e), log_rate = 0, here = 0;
        for (; next < count && rates[next].at <= at + step_of(e) / 2; next++, here++)
            log_rate += log(fmax(rates[next].rate, 1));
        if (here > 0) /* the geometric mean of this step; without a reading, the last one's */
            log_rate /= here;
        else if (count > 0)
            log_rate = log(fmax(rates[next > 0 ? next - 1 : 0].rate, 1));
        e->seen[i + 1] = e->seen[i] + chance(exp(log_rate), block_bytes);
    }
    double scale = (end - begin) / e->seen[KP_EXPOSURE_STEPS];
    for (int i = 0; i <= KP_EXPOSURE_STEPS; i++)
        e->seen[i] = begin + e->seen[i] * scale;
}

static int step_at(const struct kp_exposure *e, double at)
{
    double step = step_of(e) > 0 ? floor((at - e->begin) / step_of(e)) : 0;
    return (int)fmin(fmax(step, 0), KP_EXPOSURE_STEPS - 1);
}

double kp_exposure_density(const struct kp_exposure *e, double at)
{
    int i = step_at(e, at);
    return step_of(e) > 0 ? (e->seen[i + 1] - e->seen[i]) / step_of(e) : 1;
}

double kp_exposure_stretch(const struct kp_exposure *e, double at)
{
    int i = step_at(e, at);
    return e->seen[i] + (at - e->begin - i * step_of(e)) * kp_exposure_density(e, at);
}

double kp_exposure_unstretch(const struct kp_exposure *e, double seen)
{
    int low = 0, high = KP_EXPOSURE_STEPS;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        *(e->seen[middle] <= seen ? &low : &high) = middle;
    }
    double width = e->seen[low + 1] - e->seen[low];
    double part = width > 0 ? (seen - e->seen[low]) / width : 0;
    return e->begin + (low + fmin(fmax(part, 0), 1)) * step_of(e);
}
