/* SPDX-License-Identifier: MIT */
/*
 * The figures of the allocator that serves malloc: glibc's, jemalloc, tcmalloc or mimalloc.
 */
#ifndef KP_TOTALS_MALLOC_H
#define KP_TOTALS_MALLOC_H

#include <stdint.h>

/* Bytes in blocks given out, and bytes held from the system; KP_TOTAL_UNKNOWN. Without the guard,
 * never where malloc might be interrupted: takes the allocator's locks. */
void kp_totals_of_malloc(uint64_t *used, uint64_t *held);

#endif
