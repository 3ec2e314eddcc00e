/* SPDX-License-Identifier: MIT */
/*
 * Clocks of the slow way. Ticks are the CPU's time-stamp counter; a coarse clock (4 ms) stamps
 * samples for 5 ns.
 */
#ifndef KP_CLOCK_H
#define KP_CLOCK_H

#include "state.h"
#include "sys.h"

#include <stdint.h>
#include <time.h>

static inline uint64_t kp_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

static inline uint64_t kp_clock_coarse_us(void)
{
    return kp_session_us(kp_sys_clock_ns(CLOCK_MONOTONIC_COARSE));
}

static inline uint64_t kp_clock_us(void)
{
    return kp_session_us(kp_sys_clock_ns(CLOCK_MONOTONIC));
}

/* Of the calling thread. */
static inline uint64_t kp_clock_cpu_us(void)
{
    return kp_sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1000;
}

#endif
