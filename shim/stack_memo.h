/* SPDX-License-Identifier: MIT */
/*
 * Stacks that a slot has met before. A program allocates from few places, over and over: for each
 * place the frames between it and the kept stack (unwind.h) are remembered with the node that they
 * led to. If all of them, what lies outside of them and the Python frames are proven unchanged,
 * the node is that one again, and nothing is walked, looked up or stored.
 */
#ifndef KP_STACK_MEMO_H
#define KP_STACK_MEMO_H

#include "sample.h"
#include "state.h"

#define KP_MEMOS 512u
#define KP_MEMO_FRAMES 16

struct kp_memo {
    uintptr_t pc, sp, fp;  /* as in struct kp_origin; fp counts if needs_fp */
    uint64_t serial;       /* of the kept frame that lies next outside */
    uint64_t python;       /* kp_slot.py_serial */
    uint32_t keep;         /* kept frames outside */
    uint32_t node;
    uint32_t count;        /* of frames, innermost first */
    bool needs_fp;
    struct {
        uintptr_t pc, fp;
        uint32_t slot, fp_slot; /* bytes above the innermost; fp_slot UINT32_MAX: fp does not count */
    } frames[KP_MEMO_FRAMES];
};

/* The thread's own stack only. Returns the node, or 0 when the place has to be walked. */
uint32_t kp_stack_memo_find(const struct kp_slot *slot, const struct kp_origin *origin);

/* After a walk from there: slot->frames[keep - 1] and what lies outside of it were known. */
void kp_stack_memo_keep(struct kp_slot *slot, const struct kp_origin *origin, uint32_t keep,
                        uint32_t node);

/* A kept frame is as it was found; no one can say so of a frame elsewhere than on the thread's own
 * stack. rbp holds anything in most code: its value counts only where a step goes by it. */
static inline bool kp_frame_is_unchanged(const struct kp_frame_check *check,
                                         const struct kp_frame *frame)
{
    if (__builtin_expect(check->slot != 0, 1))
        return *(const uintptr_t *)check->slot == check->pc;
    return !frame->is_foreign && *(const uintptr_t *)frame->slot == frame->pc &&
           (!frame->needs_fp || !frame->fp_slot || *(const uintptr_t *)frame->fp_slot == frame->fp);
}

/* Compares the `count` outermost frames, innermost first. Returns 0 when all are unchanged, else how
 * many of them lie outside of the first that is not, and that one. */
static inline uint32_t kp_frames_changed(const struct kp_slot *slot, uint32_t count)
{
    const struct kp_frame_check *first = slot->checks, *check = first + count;

    while (check-- > first)
        if (!kp_frame_is_unchanged(check, &slot->frames[check - first]))
            return (uint32_t)(check - first) + 1;
    return 0;
}

#endif
