/* SPDX-License-Identifier: MIT */
/*
 * Iteration marks: one record each, with the allocators' own totals behind it when they are due
 * (totals.h).
 */
#ifndef KP_MARK_H
#define KP_MARK_H

/* One iteration more of this process. Any thread, also in a signal handler; keeps errno. */
void kp_mark(void);

#endif
