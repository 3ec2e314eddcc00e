/* SPDX-License-Identifier: MIT */
/*
 * Gaps. The countdown is an integer: the whole part of the exponential gap. A block of S bytes is
 * sampled when the gap is below S, and because S is a whole number the rounding changes nothing:
 * P(floor(gap) < S) = P(gap < S) = 1 - exp(-S/R).
 */
#include "gap.h"

#include "clock.h"
#include "state.h"
#include "sys.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void kp_gap_seed(struct kp_thread *self)
{
    uint64_t seed = kp_ticks() ^ (uint64_t)kp_sys_gettid() << 40 ^ (uintptr_t)self;

    self->epoch = kp_state.epoch;
    self->slot = NULL;
    self->random = mix(seed ^ mix(self->epoch)) | 1;
}

/* Uniform on (0, 1): 53 random bits and a half. */
static double uniform(struct kp_thread *self)
{
    self->random += 0x9e3779b97f4a7c15u;
    return ((double)(mix(self->random) >> 11) + 0.5) * 0x1p-53;
}

double kp_log(double x)
{
    uint64_t bits;
    int64_t exponent;
    double mantissa, s, square, series;

    memcpy(&bits, &x, sizeof bits);
    exponent = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&mantissa, &bits, sizeof mantissa);
    if (mantissa > 1.4142135623730951) {
        mantissa *= 0.5;
        exponent++;
    }
    s = (mantissa - 1) / (mantissa + 1);
    square = s * s;
    series = 1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square *
             (1.0 / 9 + square * (1.0 / 11 + square / 13)))));
    return 2 * s * series + (double)exponent * 0.6931471805599453;
}

void kp_gap_draw(struct kp_thread *self, uint64_t rate_bytes)
{
    self->rate = rate_bytes;
    if (rate_bytes <= 1)
        kp_gap_every_one(self);
    else
        self->left = (int64_t)(-(double)rate_bytes * kp_log(uniform(self)));
}

uint64_t kp_gap_geometric(struct kp_thread *self, uint64_t weight)
{
    double stay = 1 - 1 / (double)weight;

    if (self->epoch != kp_state.epoch)
        kp_gap_seed(self);
    return (uint64_t)(kp_log(uniform(self)) / kp_log(stay));
}

void kp_gap_stop(struct kp_thread *self)
{
    self->rate = 1u << 30;
    self->left = INT64_MAX / 2;
}
