/* SPDX-License-Identifier: MIT */
/*
 * What more workers bring: speed-up, efficiency, the serial fraction by Amdahl's law, and the bound
 * that the longest job sets, which no number of workers gets below. Pure functions, any thread.
 */
#ifndef KP_SCALING_H
#define KP_SCALING_H

#include <stddef.h>

struct kp_scaling_point {
    double workers;    /* > 0 */
    double throughput; /* work per second; with a fixed amount of work, 1 / time */
};

/* Against the first point. Efficiency: speed-up per worker that was added. */
double kp_speed_up(const struct kp_scaling_point *first, const struct kp_scaling_point *point);
double kp_efficiency(const struct kp_scaling_point *first, const struct kp_scaling_point *point);

/* The serial fraction s of speed-up(n) = 1 / (s + (1 - s) / n) that fits best; n is in units of the
 * first point's workers. Above 1: more workers make it slower. NAN: only one number of workers. */
double kp_amdahl_serial(const struct kp_scaling_point *points, size_t count);
/* The speed-up of endless workers; INFINITY for a serial fraction of 0 or less. */
double kp_amdahl_limit(double serial);

/* Jobs that cannot be divided, on `workers`: the whole takes as long as the longest, or as an equal
 * share of all. */
struct kp_job_bound {
    double total_s, longest_s;
    double speed_up; /* at most */
};
struct kp_job_bound kp_job_bound(const double *seconds, size_t count, double workers);

#endif
