/* SPDX-License-Identifier: MIT */
/*
 * Any thread, with the guard set. A handler's frame is entered with the return address of libc's
 * restorer: no other code leaves that address on the stack, so a stack without it holds no handler.
 * (An address that an earlier handler has left in some frame's unused room is taken for one; that
 * costs the totals of a mark, no more.) Elsewhere than on the thread's own stack, as on that of
 * sigaltstack or of a coroutine, the mask tells: a handler's own signal is blocked.
 */
#include "signal_frame.h"

#include "scope.h"
#include "sys.h"
#include "unwind.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* mov $SYS_rt_sigreturn, %rax; syscall */
static const unsigned char restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

static uintptr_t code_start, code_end; /* of libc */

static void find_code(void)
{
    struct link_map *libc = NULL;

    if (!kp_scope_find_from(kp_scope_program(), "gnu_get_libc_version", &libc))
        return;
    struct kp_segments segments = kp_scope_segments(libc);
    for (unsigned i = 0; i < segments.count; i++)
        if (segments.table[i].p_type == PT_LOAD && segments.table[i].p_flags & PF_X) {
            code_start = libc->l_addr + segments.table[i].p_vaddr;
            code_end = code_start + segments.table[i].p_memsz;
        }
}

static bool is_restorer(uintptr_t word)
{
    return word >= code_start && word < code_end - sizeof restorer &&
           memcmp((const void *)word, restorer, sizeof restorer) == 0;
}

bool kp_signals_are_blocked(void)
{
    uint64_t mask = 0;

    return KP_SYS4(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof mask) != 0 || mask != 0;
}

/* The walk of the last stack has gone by this place and found no frame there. */
static bool is_known_as_stale(const struct kp_slot *slot, uintptr_t place)
{
    bool went_beyond = false;

    for (uint32_t i = 0; i < slot->depth; i++) {
        if (slot->frames[i].slot == place)
            return false;
        went_beyond |= slot->frames[i].slot > place;
    }
    return went_beyond;
}

static bool may_be_in_handler(struct kp_slot *slot, bool ask_walk)
{
    const uintptr_t *here = __builtin_frame_address(0);

    if (!code_end)
        find_code();
    if (!code_end)
        return true;
    if (!kp_slot_stack_holds(slot, here))
        kp_unwind_learn_stack(slot, (uintptr_t)here);
    if (!kp_slot_stack_holds(slot, here))
        return kp_signals_are_blocked();
    for (; (uintptr_t)here < slot->stack_high; here++)
        if (is_restorer(*here) && !(ask_walk && is_known_as_stale(slot, (uintptr_t)here)))
            return true;
    return false;
}

bool kp_may_be_in_handler(struct kp_slot *slot)
{
    return may_be_in_handler(slot, false);
}

bool kp_may_be_in_handler_since_walk(struct kp_slot *slot)
{
    return may_be_in_handler(slot, true);
}
