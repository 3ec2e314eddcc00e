/* SPDX-License-Identifier: MIT */
/*
 * The random distance to the next sample: exponential with mean R, so that samples form a Poisson
 * process on the bytes. Pure arithmetic on the thread's own state; linked into unit tests too.
 */
#ifndef KP_GAP_H
#define KP_GAP_H

#include "record.h"
#include "thread.h"

/* Seeds the thread's generator; again after a fork, or parent and child would sample alike. */
void kp_gap_seed(struct kp_thread *self);

/* Draws the next gap at this rate (1: every allocation) and starts it. */
void kp_gap_draw(struct kp_thread *self, uint64_t rate_bytes);

/* The gap at rate 1: shorter than any allocation, and another one each time, so that one can see
 * that somebody has counted. (Not below 0: a request may be as absurd as INT64_MAX bytes.) */
static inline void kp_gap_every_one(struct kp_thread *self)
{
    self->left = ++self->every_one & 15;
}
_Static_assert(KP_SAMPLED_BYTES(0) > 15, "every request ends the gap");

/* How many events pass before one that each is with probability 1/weight (more than 1). */
uint64_t kp_gap_geometric(struct kp_thread *self, uint64_t weight);

/* No more samples in this thread, as far as a counter of 64 bits goes. */
void kp_gap_stop(struct kp_thread *self);

/* Natural logarithm of x in (0, 1], to 1e-9; libm would be one more library in every process. */
double kp_log(double x);

#endif
