/* SPDX-License-Identifier: MIT */
/*
 * The unwinders that we don't have ourselves: libunwind (loaded, never linked: its _Unwind_*
 * symbols must not come before libgcc's in the host), and libgcc's _Unwind_Backtrace.
 */
#ifndef KP_FALLBACK_H
#define KP_FALLBACK_H

#include <stdint.h>

/* In the constructor, never inside malloc. Returns what is there (enum kp_unwinder). */
unsigned kp_fallback_load(void);

/* Return addresses of the present stack, innermost first; 0 when there is no such unwinder. */
unsigned kp_fallback_walk(void **pcs, unsigned max);

#endif
