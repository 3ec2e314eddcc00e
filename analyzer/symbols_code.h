/* SPDX-License-Identifier: MIT */
/*
 * What the code of a stripped file refers to: addresses it takes, functions it calls, and slots of
 * the global offset table it calls through.
 */
#ifndef KP_SYMBOLS_CODE_H
#define KP_SYMBOLS_CODE_H

#include "symbols_image.h"
#include "symbols_ranges.h"

enum kp_reference_kind {
    KP_REFERENCE_ADDRESS, /* lea */
    KP_REFERENCE_CALL,    /* call or jump */
    KP_REFERENCE_SLOT,    /* call, jump or load through a word of data */
};
struct kp_reference {
    enum kp_reference_kind kind;
    uint32_t function; /* index in the functions */
    uint64_t pc;       /* of the instruction */
    uint64_t target;
};

/* Shows `visit` every reference, by function; it returns 0, or -1 to stop. A few of what it is
 * shown is none: see the source. Returns what `visit` did. */
int kp_code_scan(const struct kp_image *image, const struct kp_ranges *functions,
                 int (*visit)(void *context, const struct kp_reference *reference), void *context);

#endif
