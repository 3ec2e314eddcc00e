/* SPDX-License-Identifier: MIT */
/*
 * Does this code run in a signal handler? Then it may have interrupted malloc, with its locks held.
 */
#ifndef KP_SIGNAL_FRAME_H
#define KP_SIGNAL_FRAME_H

#include "state.h"

#include <stdbool.h>

/* False only when it is sure that no frame of this thread's stack is a signal's. With the guard
 * set; the thread's own slot. */
bool kp_may_be_in_handler(struct kp_slot *slot);

/* The same just after a sample: what its walk of the stack has passed is no frame of a handler. */
bool kp_may_be_in_handler_since_walk(struct kp_slot *slot);

/* Is any? Then it may be a handler that runs: its own signal is. */
bool kp_signals_are_blocked(void);

#endif
