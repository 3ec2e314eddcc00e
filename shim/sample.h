/* SPDX-License-Identifier: MIT */
/*
 * The slow ways: what happens when a hook has decided that an allocation is sampled, or that a
 * pointer may be a sampled one. hooks_*.c decide, sample.c records.
 */
#ifndef KP_SAMPLE_H
#define KP_SAMPLE_H

#include "live.h"
#include "record.h"
#include "thread.h"

#include <stddef.h>
#include <stdint.h>

/* Where the application called us: its state once our hook has returned. */
struct kp_origin {
    uintptr_t pc, sp, fp;
};

/* In a function that was entered by the application's call (or a tail jump after it). */
#define KP_ORIGIN_HERE()                                                                           \
    ((struct kp_origin){.pc = ((uintptr_t *)__builtin_frame_address(0))[1],                        \
                        .sp = (uintptr_t)__builtin_frame_address(0) + 16,                          \
                        .fp = ((uintptr_t *)__builtin_frame_address(0))[0]})

#define KP_SLOW __attribute__((noinline, cold, optimize("no-omit-frame-pointer")))
#define KP_LIKELY_NOT(condition) __builtin_expect(!!(condition), 0)

/* Counts an allocation of this size; true when it is to be looked at (sampled, or the thread has
 * not drawn a gap yet). One subtraction from memory whose sign decides: the fast path. (In one
 * instruction, so that no signal handler comes between; it stays negative until the next gap is
 * drawn, also when a handler jumps away before that. No size is taken for a negative one.) */
static inline bool kp_counts(size_t size)
{
    bool negative;

    __asm__("subq %[bytes], %[left]"
            : [left] "+m"(kp_self.left), "=@ccs"(negative)
            : [bytes] "r"(KP_SAMPLED_BYTES(size) & INT64_MAX));
    return KP_LIKELY_NOT(negative);
}

/* The countdown of this thread has ended in an allocation of this size: is it a sample? Returns the
 * rate that it was drawn at, or 0, and starts the next gap. Called before the real call, so that a
 * signal handler that allocates meanwhile finds a countdown in order. Keeps errno. */
uint64_t kp_sample_decide(size_t size);

/* The block of a sample is there (or not, NULL): record it. Returns its id or 0. Keeps errno. */
uint64_t kp_sample_alloc(enum kp_kind kind, size_t size, void *block, uint64_t rate,
                         const struct kp_origin *origin);

/* Before the block is given back: if it is a sample, its end is recorded. Keeps errno. */
void kp_sample_free(void *block);

/* realloc: take the sample out before the real call; afterwards either it is freed, or, when the
 * call failed, put it back. */
uint64_t kp_sample_take(void *block);
void kp_sample_put_back(void *block, uint64_t id);
void kp_sample_freed(uint64_t id);

/* With the guard set by the caller: a sample has ended, or part of a sampled mapping went away. */
void kp_sample_freed_in_guard(uint64_t id);
void kp_sample_resized_in_guard(uint64_t id, uint64_t bytes_left);

#endif
