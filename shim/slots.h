/* SPDX-License-Identifier: MIT */
/*
 * Writer slots: a thread takes one with its first sample and keeps it until it ends. Nobody tells
 * us that a thread has ended (we keep no TLS destructor, which would run too early anyway); slots
 * of dead threads are found when new ones are wanted.
 */
#ifndef KP_SLOTS_H
#define KP_SLOTS_H

#include "state.h"

/* Takes one that is free, or makes one. */
struct kp_slot *kp_slot_take(struct kp_thread *self);

/* This thread's slot; NULL when there is none to be had. */
static inline struct kp_slot *kp_slot_get(struct kp_thread *self)
{
    if (__builtin_expect(self->slot && self->epoch == kp_state.epoch, 1))
        return self->slot;
    return kp_slot_take(self);
}

#endif
