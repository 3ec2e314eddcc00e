/* SPDX-License-Identifier: MIT */
/*
 * What each thread of the host carries: plain initial-exec TLS, no destructor. `left` is all that
 * the fast path touches.
 *
 * The guard keeps the shim from meeting itself: it is set while a thread runs our own code (never
 * while the real allocator runs), so an allocation made by a signal handler in the middle of it
 * passes through unrecorded. A handler that leaves by siglongjmp leaves the guard behind; the
 * cookie on the abandoned stack frame tells that, see kp_guard_is_stale().
 */
#ifndef KP_THREAD_H
#define KP_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_slot;
struct kp_spin;

#define KP_LOCKS_HELD_MAX 4

struct kp_thread {
    int64_t left;         /* bytes until the next sample; below 0: sample */
    uint64_t rate;        /* R of the gap that is running, 0: none drawn yet */
    uint64_t random;      /* state of the generator, 0: not seeded */
    uint64_t *guard;      /* cookie of the shim's outermost frame, NULL: outside */
    struct kp_slot *slot; /* where this thread writes */
    uint64_t epoch;       /* of the process for which slot and random are good */
    /* Locks that our code holds, or is about to take: so that none is forgotten when it is left. */
    struct kp_spin *held[KP_LOCKS_HELD_MAX];
    uint32_t held_count;
    uint32_t every_one;      /* gaps drawn at rate 1 */
    bool in_arena;           /* taking an arena for Python's allocator */
    int64_t moved_by_arenas; /* what these took off `left` */
};

extern __thread struct kp_thread kp_self __attribute__((visibility("hidden")));

#define KP_GUARD_COOKIE(address) ((uint64_t)(uintptr_t)(address) ^ 0x6b70726f66756172u)

/* The guard is set. True when what set it is no more: its locks are released then. */
bool kp_guard_take_over(struct kp_thread *self, uint64_t *cookie);

/* True when this thread may run our code now; the cookie stands in the caller's frame. */
static inline bool kp_guard_enter(uint64_t *cookie)
{
    struct kp_thread *self = &kp_self;

    if (__builtin_expect(self->guard != 0, 0) && !kp_guard_take_over(self, cookie))
        return false;
    *(volatile uint64_t *)cookie = KP_GUARD_COOKIE(cookie);
    self->guard = cookie;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void kp_guard_leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    kp_self.guard = 0;
}

/* True while the process has had one thread only, so that nobody contends for what it changes. */
static inline bool kp_is_alone(void)
{
    extern char __libc_single_threaded __attribute__((weak)); /* glibc 2.32 and later */

    return &__libc_single_threaded && __libc_single_threaded;
}

/* A lock for the rare ways, only with the guard set. False when it can't be had for a long time:
 * something that can't happen has happened to its owner; the recording is then turned off. */
struct kp_spin {
    struct kp_thread *_Atomic owner;
};
bool kp_spin_lock_contended(struct kp_spin *lock);

static inline bool kp_spin_lock(struct kp_spin *lock)
{
    struct kp_thread *self = &kp_self;

    if (!kp_is_alone() || self->held_count == KP_LOCKS_HELD_MAX ||
        atomic_load_explicit(&lock->owner, memory_order_relaxed))
        return kp_spin_lock_contended(lock);
    self->held[self->held_count++] = lock;
    atomic_store_explicit(&lock->owner, self, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void kp_spin_unlock(struct kp_spin *lock)
{
    atomic_store_explicit(&lock->owner, NULL, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    kp_self.held_count--;
}

#endif
