/* SPDX-License-Identifier: MIT */
/*
 * Walks the stack. The calling thread's own, in our slow path, with the guard set and no lock.
 *
 * Reading memory: addresses between the present frame and the top of the thread's own stack are
 * known to be readable (checked page by page when a deeper frame than ever is seen). On another
 * stack (sigaltstack, coroutine) each page is asked for first.
 */
#include "unwind.h"

#include "cfi.h"
#include "fallback.h"
#include "modules.h"
#include "real.h"
#include "settings.h"
#include "stack_memo.h"
#include "stack_merge.h"
#include "start.h"
#include "sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#define PAGE 4096u
#define STACK_BYTES_MAX (64u << 20)
#define FALLBACK_DEPTH 512

extern void *__libc_stack_end;

/* Top of the stack that this thread was born with: glibc keeps the thread's descriptor there. */
static uintptr_t stack_top(void)
{
    uintptr_t self = (uintptr_t)__builtin_thread_pointer();

    if (self == kp_host.main_thread || (!kp_host.main_thread && kp_sys_gettid() == kp_state.pid))
        return (uintptr_t)__libc_stack_end;
    return self;
}

void kp_unwind_learn_stack(struct kp_slot *slot, uintptr_t sp)
{
    uintptr_t high = slot->stack_high ? slot->stack_high : stack_top();
    uintptr_t stop = slot->stack_low ? slot->stack_low : high;

    if (sp >= high || high - sp > STACK_BYTES_MAX)
        return;
    for (uintptr_t page = sp & ~(uintptr_t)(PAGE - 1); page < stop; page += PAGE)
        if (!kp_sys_is_readable(page))
            return;
    slot->stack_low = sp & ~(uintptr_t)(PAGE - 1);
    slot->stack_high = high;
}

static bool may_read(const struct kp_slot *slot, uintptr_t address)
{
    if (address & 7)
        return false;
    if (__builtin_expect(kp_slot_stack_holds(slot, (void *)address), 1))
        return true;
    return kp_sys_is_readable(address);
}

static uintptr_t word_at(uintptr_t address)
{
    return *(const uintptr_t *)address;
}

/* `frame` becomes its caller's frame; its own stack pointer is slot + 8. */
struct walker {
    const struct kp_slot *slot;
    struct kp_frame frame;
    bool exact;   /* the frame's pc is no return address */
    bool used_fp; /* the last step went by rbp */
};

enum step { STEP_DONE, STEP_END, STEP_BROKEN };

static enum step step_signal(struct walker *w, uintptr_t sp)
{
    const ucontext_t *context = (const ucontext_t *)sp;
    uintptr_t last = (uintptr_t)&context->uc_mcontext.gregs[REG_RIP];

    if (!may_read(w->slot, sp) || !may_read(w->slot, last))
        return STEP_BROKEN;
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    w->frame = (struct kp_frame){
        .slot = (uintptr_t)context->uc_mcontext.gregs[REG_RSP] - 8,
        .pc = pc,
        .fp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP],
    };
    w->exact = true;
    return pc ? STEP_DONE : STEP_END;
}

/* No table for this pc (generated code): believe in a frame pointer that looks like one. */
static enum step step_by_frame_pointer(struct walker *w, uintptr_t sp)
{
    uintptr_t fp = w->frame.fp;
    const uint8_t *hdr;

    if (fp < sp || fp - sp > (1u << 20) || !may_read(w->slot, fp) || !may_read(w->slot, fp + 8))
        return STEP_BROKEN;
    uintptr_t pc = word_at(fp + 8);
    if (!kp_object_of(pc, &hdr))
        return STEP_BROKEN;
    w->frame = (struct kp_frame){.slot = fp + 8, .pc = pc, .fp = word_at(fp), .fp_slot = fp};
    w->exact = false;
    return STEP_DONE;
}

static bool find_cfa(const struct walker *w, struct kp_rule rule, uintptr_t sp, uintptr_t *cfa)
{
    bool from_fp = rule.cfa == KP_CFA_FP || rule.cfa == KP_CFA_FP_MEM;

    *cfa = (from_fp ? w->frame.fp : sp) + (uintptr_t)(intptr_t)rule.offset;
    if (rule.cfa == KP_CFA_SP_MEM || rule.cfa == KP_CFA_FP_MEM) {
        if (!may_read(w->slot, *cfa))
            return false;
        *cfa = word_at(*cfa);
    }
    return *cfa > sp && *cfa - sp < STACK_BYTES_MAX && may_read(w->slot, *cfa - 8);
}

static struct kp_rule rule_for(const struct walker *w)
{
    if (__builtin_expect(kp_settings.unwinder == KP_UNWIND_CFI, 1))
        return kp_cfi_rule(w->frame.pc, w->exact);
    if (kp_settings.unwinder == KP_UNWIND_FP)
        return (struct kp_rule){.cfa = KP_CFA_NONE};
    return (struct kp_rule){.cfa = KP_CFA_UNKNOWN};
}

static enum step step(struct walker *w)
{
    uintptr_t sp = w->frame.slot + 8, cfa, fp_slot = 0;
    struct kp_rule rule = rule_for(w);

    w->used_fp = rule.cfa == KP_CFA_FP || rule.cfa == KP_CFA_FP_MEM || rule.cfa == KP_CFA_NONE ||
                 rule.fp_offset == KP_FP_AT_FP;
    if (rule.cfa == KP_CFA_END)
        return STEP_END;
    if (rule.cfa == KP_CFA_SIGNAL)
        return step_signal(w, sp);
    if (rule.cfa == KP_CFA_NONE)
        return step_by_frame_pointer(w, sp);
    if (rule.cfa == KP_CFA_UNKNOWN || !find_cfa(w, rule, sp, &cfa))
        return STEP_BROKEN;
    if (rule.fp_offset)
        fp_slot = rule.fp_offset == KP_FP_AT_FP ? w->frame.fp
                                                : cfa + (uintptr_t)(intptr_t)rule.fp_offset;
    if (fp_slot && !may_read(w->slot, fp_slot))
        return STEP_BROKEN;
    w->frame.slot = cfa - 8;
    w->frame.pc = word_at(cfa - 8);
    if (fp_slot)
        w->frame.fp = word_at(fp_slot);
    w->frame.fp_slot = fp_slot;
    w->exact = false;
    return w->frame.pc ? STEP_DONE : STEP_END;
}

/* How many of the kept frames, outermost first, hold for a walk that has arrived at `frame`.
 * *limit shrinks as kept frames are ruled out, so that no frame is compared twice. */
static uint32_t known_part(const struct kp_slot *slot, const struct kp_frame *frame, uint32_t *limit)
{
    struct kp_frame *kept = slot->frames, *same;
    uint32_t changed;

    while (*limit && kept[*limit - 1].slot < frame->slot)
        --*limit;
    same = *limit ? &kept[*limit - 1] : NULL;
    if (!same || same->slot != frame->slot || same->pc != frame->pc || same->is_foreign ||
        (same->needs_fp && same->fp != frame->fp))
        return 0;
    changed = kp_frames_changed(slot, *limit - 1);
    if (changed) {
        *limit = changed - 1;
        return 0;
    }
    same->fp = frame->fp;
    same->fp_slot = frame->fp_slot;
    return *limit;
}

/* The rest by libunwind or libgcc: return addresses only, so nothing of it can be kept. */
static uint32_t walk_by_fallback(struct kp_slot *slot, uint32_t fresh)
{
    /* The far end of the scratch memory: frames are written from the near end meanwhile. */
    void **pcs = (void **)(slot->fresh + KP_STACK_DEPTH_MAX) - FALLBACK_DEPTH;
    uint32_t found, at = 0;
    uintptr_t from = slot->fresh[fresh - 1].pc;

    if (fresh + 2 * FALLBACK_DEPTH > KP_STACK_DEPTH_MAX || !kp_start_may_fall_back())
        return 0;
    found = kp_fallback_walk(pcs, FALLBACK_DEPTH);
    while (at < found && (uintptr_t)pcs[at] != from)
        at++;
    if (at >= found)
        return 0;
    uint32_t count = found - at - 1;
    for (uint32_t i = 0; i < count; i++)
        slot->fresh[fresh + i] = (struct kp_frame){.pc = (uintptr_t)pcs[at + 1 + i]};
    return count;
}

/* Frames that are new, innermost first, into slot->fresh; *keep is what stays of the kept stack. */
static uint32_t walk(struct kp_slot *slot, struct walker *w, bool inside_allocator, uint32_t *keep)
{
    uint32_t fresh = 0, limit = slot->depth;
    enum step how = STEP_DONE;

    *keep = 0;
    while (how == STEP_DONE && fresh < KP_STACK_DEPTH_MAX) {
        *keep = limit ? known_part(slot, &w->frame, &limit) : 0;
        if (*keep)
            return fresh;
        slot->fresh[fresh++] = w->frame;
        if (w->exact)
            slot->fresh[fresh - 1].pc |= KP_PC_EXACT;
        how = step(w);
        slot->fresh[fresh - 1].uses_fp = w->used_fp;
    }
    if (how == STEP_DONE)
        atomic_fetch_add(&kp_state.info->cut_frames, 1);
    if (how == STEP_BROKEN) {
        uint32_t more = inside_allocator ? 0 : walk_by_fallback(slot, fresh);

        if (!more)
            atomic_fetch_add(&kp_state.info->broken_stacks, 1);
        fresh += more;
    }
    return fresh;
}

uint32_t kp_unwind(struct kp_slot *slot, const struct kp_origin *origin, enum kp_kind kind)
{
    struct walker w = {
        .slot = slot,
        .frame = {.slot = origin->sp - 8, .pc = origin->pc, .fp = origin->fp},
    };
    uint32_t code_epoch = atomic_load_explicit(&kp_state.code_epoch, memory_order_relaxed);
    uint32_t keep, fresh, node = 0;

    if (slot->code_epoch != code_epoch) {
        slot->code_epoch = code_epoch;
        slot->depth = 0;
    }
    if (!kp_slot_stack_holds(slot, (void *)origin->sp))
        kp_unwind_learn_stack(slot, origin->sp);
    if (!kp_slot_stack_holds(slot, (void *)origin->sp))
        slot->depth = 0;
    if (slot->depth)
        node = kp_stack_memo_find(slot, origin);
    if (!node) {
        fresh = walk(slot, &w, kind == KP_KIND_ARENA, &keep);
        node = kp_stack_merge(slot, keep, fresh);
        kp_stack_memo_keep(slot, origin, keep, node);
    }
    return node;
}
