/* SPDX-License-Identifier: MIT */
/*
 * Native and Python frames of one thread as one stack, in the order in which they called each
 * other, and its nodes.
 */
#ifndef KP_STACK_MERGE_H
#define KP_STACK_MERGE_H

#include "state.h"

/* slot->frames[0, keep) hold as before, slot->fresh[0, fresh) are what the native walk has found
 * inside of them, innermost first. Reads the Python frames, keeps all that for the next time and
 * returns the innermost node. */
uint32_t kp_stack_merge(struct kp_slot *slot, uint32_t keep, uint32_t fresh);

/* The thread's last stack is one whose moment matters: the interpreter starts or imports. */
bool kp_stack_is_start_up(const struct kp_slot *slot);

#endif
