/* SPDX-License-Identifier: MIT */
/*
 * Iteration marks: one record each, with the allocators' own totals behind it when they are due
 * (totals.h).
 */
#ifndef KP_MARK_H
#define KP_MARK_H

#include <stdint.h>

/* One iteration more of this process: `where` is 0 at its end, KP_MARK_AT_BEGIN where it begins. Any
 * thread, also in a signal handler; keeps errno. */
void kp_mark(uint64_t where);
/* The first iteration of this process begins; nothing when that was told, or one was marked. */
void kp_mark_first_begin(void);

#endif
