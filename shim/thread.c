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

#define COOKIE(address) ((uint64_t)(uintptr_t)(address) ^ 0x6b70726f66756172u)
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
    return (const void *)self->guard <= here || *self->guard != COOKIE(self->guard);
}

bool kp_guard_enter(uint64_t *cookie)
{
    struct kp_thread *self = &kp_self;

    if (__builtin_expect(self->guard != 0, 0)) {
        if (!kp_guard_is_stale(self, cookie))
            return false;
        if (self->held)
            kp_spin_unlock(self->held);
    }
    *(volatile uint64_t *)cookie = COOKIE(cookie);
    self->guard = cookie;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

bool kp_spin_lock(struct kp_spin *lock)
{
    for (unsigned tries = 0; atomic_exchange_explicit(&lock->locked, 1, memory_order_acquire);
         tries++) {
        if (tries < SPINS_BEFORE_YIELD) {
            __builtin_ia32_pause();
            continue;
        }
        if (tries > YIELDS_BEFORE_OFF) {
            kp_off("a lock of the profiler was never released; recording ended there");
            return false;
        }
        KP_SYS0(SYS_sched_yield);
    }
    kp_self.held = lock;
    return true;
}

void kp_spin_unlock(struct kp_spin *lock)
{
    kp_self.held = NULL;
    atomic_store_explicit(&lock->locked, 0, memory_order_release);
}
