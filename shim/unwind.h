/* SPDX-License-Identifier: MIT */
/*
 * The native stack of the calling thread, as the id of its innermost node.
 *
 * The stack of the slot's last sample is kept, frame by frame, with the places in memory that the
 * walk depended on. From the innermost frame outwards we step (cfi.h) only until we meet a frame
 * that stands in the kept stack and whose outer part is proven unchanged: every return address and
 * every saved rbp outside of it is still the one that was found there. That is an exact proof, not
 * a guess, since a step depends on nothing else. Most samples share all but a few inner frames.
 */
#ifndef KP_UNWIND_H
#define KP_UNWIND_H

#include "record.h"
#include "sample.h"
#include "state.h"

uint32_t kp_unwind(struct kp_slot *slot, const struct kp_origin *origin, enum kp_kind kind);

/* Makes [sp, top) known as the thread's own stack if it is, page by page; else changes nothing. */
void kp_unwind_learn_stack(struct kp_slot *slot, uintptr_t sp);

#endif
