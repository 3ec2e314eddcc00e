/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of the heap: how much each arena holds, uses and has resident. Taken when the program
 * makes a mark, when RSS has grown by a tenth, every second or so, and at the end; always from the
 * slow way of a sample or a mark, never in the allocator. All together they take at most 1 % of the
 * time.
 */
#ifndef KP_SNAPSHOT_H
#define KP_SNAPSHOT_H

#include "state.h"

#include <stdbool.h>

extern _Atomic uint64_t kp_snapshot_due_us __attribute__((visibility("hidden")));
/* Says whether Python has begun to take its memory down; NULL: nobody needs to ask (any more). */
extern int (*_Atomic kp_snapshot_python_ends)(void) __attribute__((visibility("hidden")));

/* May it be time? One comparison, with the time of the slot's last record. */
static inline bool kp_snapshot_may_be_due(const struct kp_slot *slot)
{
    return slot && slot->time_us >= atomic_load_explicit(&kp_snapshot_due_us, memory_order_relaxed);
}

static inline bool kp_snapshot_python_has_ended(void)
{
    int (*ends)(void) = atomic_load_explicit(&kp_snapshot_python_ends, memory_order_relaxed);

    return __builtin_expect(ends != NULL, 0) && ends();
}

/* Without the guard, no lock held, where malloc could be called; keeps errno. Looks at the clock and
 * at RSS, and takes one if it is time. */
void kp_snapshot_look(void);
/* The same, at a mark. */
void kp_snapshot_at_mark(void);
/* The program, or Python in it, is about to end. */
void kp_snapshot_at_end(void);

#endif
