/* SPDX-License-Identifier: MIT */
/*
 * The figures of Python's own allocator.
 */
#ifndef KP_TOTALS_PYTHON_H
#define KP_TOTALS_PYTHON_H

#include <stdint.h>

/* Bytes in arenas, and the number of blocks given out (only where the caller holds the GIL);
 * KP_TOTAL_UNKNOWN. Without the guard. */
void kp_totals_of_python(uint64_t *held, uint64_t *blocks);

#endif
