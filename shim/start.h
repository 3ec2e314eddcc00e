/* SPDX-License-Identifier: MIT */
/*
 * How a process begins to be recorded. Two stages: the first allocation of the process opens the
 * session (system calls only, possible before any constructor has run); our constructor then does
 * what needs a complete libc: the other unwinders, the fork handler, the collector.
 */
#ifndef KP_START_H
#define KP_START_H

#include "state.h"

bool kp_start_slowly(void);

/* True when samples of this process can be recorded; starts or joins first when that is due.
 * With the guard set. */
static inline bool kp_start_ready(void)
{
    if (__builtin_expect(kp_state.epoch != 0 && kp_host.mode == KP_MODE_ON, 1))
        return true;
    return kp_host.mode != KP_MODE_OFF && kp_start_slowly();
}

static inline bool kp_start_may_fall_back(void)
{
    return kp_host.can_fall_back;
}

#endif
