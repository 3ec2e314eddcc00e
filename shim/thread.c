/* SPDX-License-Identifier: MIT */
/*
 * The guard and the lock. Runs on the host's threads, also inside its signal handlers.
 *
 * When is a guard stale? Its cookie lies in the frame of the shim's entry. If control left that
 * frame by a siglongjmp, later frames of the same stack run above it or in its place (then our own
 * cookie's address is not lower) or over it (then the cookie is overwritten). On another stack
 * (sigaltstack) addresses can't be compared, so that the guard is believed.
 */
#include "thread.h"

#include "state.h"
#include "sys.h"
#include "unwind.h"

#include <stdatomic.h>

#define SPINS_BEFORE_YIELD 64
#define YIELDS_BEFORE_OFF 200000

__thread struct kp_thread kp_self __attribute__((visibility("hidden")));

/* Only asked when the guard is found set. */
static bool on_own_stack(struct kp_slot *slot, const void *address)
{
    if (!kp_slot_stack_holds(slot, address))
        kp_unwind_learn_stack(slot, (uintptr_t)address);
    return kp_slot_stack_holds(slot, address);
}

static bool same_stack(const struct kp_thread *self, const void *a, const void *b)
{
    struct kp_slot *slot = self->epoch == kp_state.epoch ? self->slot : NULL;

    return slot && on_own_stack(slot, a) && on_own_stack(slot, b);
}

static bool kp_guard_is_stale(const struct kp_thread *self, const void *here)
{
    if (!same_stack(self, self->guard, here))
        return false;
    return (const void *)self->guard <= here || *self->guard != KP_GUARD_COOKIE(self->guard);
}

static void release_held(struct kp_thread *self)
{
    for (; self->held_count; self->held_count--) {
        struct kp_spin *lock = self->held[self->held_count - 1];

        if (atomic_load(&lock->owner) == self)
            atomic_store_explicit(&lock->owner, NULL, memory_order_release);
    }
}

bool kp_guard_take_over(struct kp_thread *self, uint64_t *cookie)
{
    if (!kp_guard_is_stale(self, cookie))
        return false;
    release_held(self);
    if (self->slot && self->epoch == kp_state.epoch)
        self->slot->abandoned = true;
    return true;
}

bool kp_spin_lock_contended(struct kp_spin *lock)
{
    struct kp_thread *self = &kp_self, *nobody = NULL;

    if (self->held_count == KP_LOCKS_HELD_MAX)
        return false;
    self->held[self->held_count++] = lock;
    for (unsigned tries = 0; !atomic_compare_exchange_weak_explicit(
             &lock->owner, &nobody, self, memory_order_acquire, memory_order_relaxed);
         tries++) {
        nobody = NULL;
        if (tries > YIELDS_BEFORE_OFF) {
            self->held_count--;
            kp_off("a lock of the profiler was never released; recording ended there");
            return false;
        }
        if (tries < SPINS_BEFORE_YIELD)
            __builtin_ia32_pause();
        else
            KP_SYS0(SYS_sched_yield);
    }
    return true;
}
