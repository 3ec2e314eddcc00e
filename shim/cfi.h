/* SPDX-License-Identifier: MIT */
/*
 * How to get from a frame to its caller: rules made from .eh_frame for one pc each, kept in a
 * cache, because a program calls from few places. A step costs about 2 ns, against 5-7 ns of
 * libunwind's own cache, and it can stop where the rest of the stack is known already. Covers what
 * compilers emit for rsp and rbp; for anything else it says so and libunwind does it.
 */
#ifndef KP_CFI_H
#define KP_CFI_H

#include <stdbool.h>
#include <stdint.h>

enum kp_cfa {
    KP_CFA_NONE = 0,    /* no table covers this pc */
    KP_CFA_SP = 1,      /* CFA = rsp + offset */
    KP_CFA_FP = 2,      /* CFA = rbp + offset */
    KP_CFA_SP_MEM = 3,  /* CFA = *(rsp + offset) */
    KP_CFA_FP_MEM = 4,  /* CFA = *(rbp + offset) */
    KP_CFA_SIGNAL = 5,  /* a signal frame: registers are in the ucontext at rsp */
    KP_CFA_END = 6,     /* outermost frame */
    KP_CFA_UNKNOWN = 7, /* the table says something that we don't understand */
};

/* As fp_offset: the caller's rbp is where rbp points (functions that realign their stack). */
#define KP_FP_AT_FP (-(1 << 30))

struct kp_rule {
    unsigned cfa;     /* enum kp_cfa */
    int32_t offset;
    int32_t fp_offset; /* rbp was saved at CFA + this; 0: still in the register */
};

/* The rule for a frame whose pc is this; `exact` when pc is not a return address. */
struct kp_rule kp_cfi_rule(uintptr_t pc, bool exact);

/* Empties the cache: code was unloaded. */
void kp_cfi_forget(void);

#endif
