/* SPDX-License-Identifier: MIT */
/*
 * Amdahl's law is a straight line through the origin: 1/S - 1/n = s (1 - 1/n), so that the fit needs
 * no search. Any thread.
 */
#include "scaling.h"

#include <math.h>

double kp_speed_up(const struct kp_scaling_point *first, const struct kp_scaling_point *point)
{
    return point->throughput / first->throughput;
}

double kp_efficiency(const struct kp_scaling_point *first, const struct kp_scaling_point *point)
{
    return kp_speed_up(first, point) / (point->workers / first->workers);
}

double kp_amdahl_serial(const struct kp_scaling_point *points, size_t count)
{
    double xx = 0, xy = 0;
    for (size_t i = 1; i < count; i++) {
        double n = points[i].workers / points[0].workers;
        double speed_up = kp_speed_up(&points[0], &points[i]);
        if (!(speed_up > 0) || !(n > 0))
            continue;
        xx += (1 - 1 / n) * (1 - 1 / n);
        xy += (1 - 1 / n) * (1 / speed_up - 1 / n);
    }
    return xx > 0 ? xy / xx : NAN;
}

double kp_amdahl_limit(double serial)
{
    return serial > 0 ? 1 / serial : INFINITY;
}

struct kp_job_bound kp_job_bound(const double *seconds, size_t count, double workers)
{
    struct kp_job_bound bound = {0, 0, NAN};
    for (size_t i = 0; i < count; i++) {
        bound.total_s += seconds[i];
        bound.longest_s = fmax(bound.longest_s, seconds[i]);
    }
    double shortest_s = fmax(bound.longest_s, bound.total_s / workers);
    if (shortest_s > 0)
        bound.speed_up = bound.total_s / shortest_s;
    return bound;
}
