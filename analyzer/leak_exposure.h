/* SPDX-License-Identifier: MIT */
/*
 * How closely a place was looked at, iteration by iteration. The rate of sampling changes while a
 * program runs, by a factor of a hundred where it is automatic: samples of an even leak are not
 * spread evenly. With p(t) the probability that a block of the place's mean size is sampled, and
 * time stretched by p(t), they are. Pure functions, any thread.
 */
#ifndef KP_LEAK_EXPOSURE_H
#define KP_LEAK_EXPOSURE_H

#include <stddef.h>

struct kp_rate_at {
    double at, rate; /* bytes between two samples, from this iteration on; in order of `at` */
};

#define KP_EXPOSURE_STEPS 512

struct kp_exposure {
    double begin, end; /* the same in both times */
    double seen[KP_EXPOSURE_STEPS + 1]; /* stretched time at begin + i (end - begin) / STEPS */
};

void kp_exposure_make(struct kp_exposure *exposure, const struct kp_rate_at *rates, size_t count,
                      double begin, double end, double block_bytes);
double kp_exposure_stretch(const struct kp_exposure *exposure, double at);
double kp_exposure_unstretch(const struct kp_exposure *exposure, double seen);
/* p(t) over its mean. */
double kp_exposure_density(const struct kp_exposure *exposure, double at);

#endif
