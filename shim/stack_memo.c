/* SPDX-License-Identifier: MIT */
/*
 * The memo: a few ways for each place of an allocation. The calling thread, with
 * the guard set. What it proves is what unwind.c proves, by the same comparisons, without the steps
 * in between: each remembered frame's return address stands where it was found, and rbp where a
 * frame further out is found by it. Frames outside are known by the serial number of the next one:
 * it is given anew to each frame that is kept, and all inner ones go when an outer one does.
 */
#include "stack_memo.h"

#include "python.h"
#include "python_frames.h"

#include <stdatomic.h>

#define NOT_COMPARED UINT32_MAX
#define WAYS 4
/* A kept frame is good to lean on when so many others have been kept since. */
#define SETTLED 64

/* The ways of one place: the same call at the same depth, reached by different callers. */
static struct kp_memo *ways_of(const struct kp_slot *slot, const struct kp_origin *origin)
{
    uint64_t hash = (origin->pc ^ origin->sp << 20) * 0x9e3779b97f4a7c15u;

    return &slot->memos[(hash >> 32) * WAYS & (KP_MEMOS - 1)];
}

/* The innermost return address: nothing that is compared lies below. */
static uintptr_t base_of(uintptr_t sp)
{
    return sp - sizeof(uintptr_t);
}

static bool frames_are_unchanged(const struct kp_memo *memo)
{
    uintptr_t base = base_of(memo->sp);

    for (uint32_t i = 0; i < memo->count; i++) {
        if (*(const uintptr_t *)(base + memo->frames[i].slot) != memo->frames[i].pc)
            return false;
        if (memo->frames[i].fp_slot != NOT_COMPARED &&
            *(const uintptr_t *)(base + memo->frames[i].fp_slot) != memo->frames[i].fp)
            return false;
    }
    return true;
}

static bool python_is_unchanged(const struct kp_slot *slot)
{
    if (!kp_python.is_found || kp_python.frames == KP_FRAMES_OFF)
        return true;
    return slot->code_deaths ==
               atomic_load_explicit(&kp_state.code_deaths, memory_order_acquire) &&
           kp_python_frames_unchanged(slot);
}

/* It speaks of the stack as it is kept now. */
static bool is_current(const struct kp_memo *memo, const struct kp_slot *slot)
{
    return memo->keep && memo->keep <= slot->depth &&
           slot->frames[memo->keep - 1].serial == memo->serial && memo->python == slot->py_serial;
}

static bool is_met_again(const struct kp_memo *memo, const struct kp_slot *slot,
                         const struct kp_origin *origin)
{
    return memo->pc == origin->pc && memo->sp == origin->sp && is_current(memo, slot) &&
           (!memo->needs_fp || memo->fp == origin->fp) && frames_are_unchanged(memo);
}

uint32_t kp_stack_memo_find(const struct kp_slot *slot, const struct kp_origin *origin)
{
    const struct kp_memo *memo = ways_of(slot, origin);
    uint32_t way = 0;

    while (!is_met_again(&memo[way], slot, origin))
        if (++way == WAYS)
            return 0;
    if (kp_frames_changed(slot, memo[way].keep - 1))
        return 0;
    return python_is_unchanged(slot) ? memo[way].node : 0;
}

static bool may_keep(const struct kp_slot *slot, uintptr_t base, uint32_t first)
{
    if (slot->depth - first > KP_MEMO_FRAMES || atomic_load(&kp_state.full_until_us))
        return false;
    for (uint32_t i = first; i < slot->depth; i++) {
        const struct kp_frame *frame = &slot->frames[i];

        if (frame->is_foreign || frame->slot - base >= NOT_COMPARED ||
            (frame->fp_slot && frame->fp_slot - base >= NOT_COMPARED))
            return false;
    }
    return true;
}

/* The innermost frame that was known and will be for long; the walk has met frames[keep - 1]. */
static uint32_t settled(const struct kp_slot *slot, uint32_t keep)
{
    uint32_t first = keep - 1;

    while (first && slot->depth - first < KP_MEMO_FRAMES &&
           slot->serial - slot->frames[first].serial < SETTLED)
        first--;
    return first;
}

static struct kp_memo *way_to_replace(const struct kp_slot *slot, const struct kp_origin *origin)
{
    struct kp_memo *ways = ways_of(slot, origin);

    for (uint32_t way = 0; way < WAYS; way++)
        if (!is_current(&ways[way], slot))
            return &ways[way];
    return &ways[slot->serial % WAYS];
}

void kp_stack_memo_keep(struct kp_slot *slot, const struct kp_origin *origin, uint32_t keep,
                        uint32_t node)
{
    struct kp_memo *memo = way_to_replace(slot, origin);
    uintptr_t base = base_of(origin->sp);
    uint32_t first = keep ? settled(slot, keep) : 0;

    if (!keep || !node || !may_keep(slot, base, first))
        return;
    *memo = (struct kp_memo){.pc = origin->pc,
                             .sp = origin->sp,
                             .fp = origin->fp,
                             .serial = slot->frames[first].serial,
                             .python = slot->py_serial,
                             .keep = first + 1,
                             .node = node,
                             .count = slot->depth - first,
                             .needs_fp = slot->frames[slot->depth - 1].needs_fp};
    for (uint32_t i = 0; i < memo->count; i++) {
        const struct kp_frame *frame = &slot->frames[slot->depth - 1 - i];
        bool compared = frame->needs_fp && frame->fp_slot;

        memo->frames[i].pc = frame->pc;
        memo->frames[i].fp = frame->fp;
        memo->frames[i].slot = (uint32_t)(frame->slot - base);
        memo->frames[i].fp_slot = compared ? (uint32_t)(frame->fp_slot - base) : NOT_COMPARED;
    }
}
