/* SPDX-License-Identifier: MIT */
/*
 * R, the mean bytes between samples: fixed, or (`auto`) as small as the CPU budget allows. Each
 * slot counts what its samples cost; every 20 ms or 512 samples somebody compares the sum with the
 * CPU time of the process and moves R. docs/sampling.md has the reasoning.
 */
#ifndef KP_RATE_H
#define KP_RATE_H

#include "clock.h"
#include "settings.h"
#include "state.h"

#define KP_RATE_MIN 512u
#define KP_RATE_MAX (4u << 20)
#define KP_RATE_START (32u << 10)
#define KP_RATE_MEASURED 16u

uint64_t kp_rate_now(void);

/* At the start of a process: from the settings. */
void kp_rate_init(void);

/* For the program: R from here on, 0 for auto; in other threads from their next sample on. */
void kprof_rate(uint64_t bytes);

/* What a sample, or the free of one, costs: the tick at its begin, or 0 when this one is not
 * measured. At a fixed rate the cost is told but steers nothing, so that one in 16 will do. */
static inline uint64_t kp_rate_begin(const struct kp_slot *slot)
{
    return kp_settings.rate_bytes && slot->counter % KP_RATE_MEASURED ? 0 : kp_ticks();
}

void kp_rate_account(struct kp_slot *slot, uint64_t began_ticks);
void kp_rate_account_free(struct kp_slot *slot, uint64_t began_ticks);

/* A free() was looked at in vain. */
void kp_rate_probe(void);

/* Writes the sums into the spool; at the end of the process. */
void kp_rate_settle(void);

#endif
