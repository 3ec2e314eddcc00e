/* SPDX-License-Identifier: MIT */
/*
 * What glibc keeps for the main thread in its cache of freed blocks. mallinfo2 counts these blocks
 * as given out.
 */
#ifndef KP_TOTALS_TCACHE_H
#define KP_TOTALS_TCACHE_H

#include <stdint.h>

/* Bytes of chunks in the main thread's cache; 0 where there is none, or not as we know it. */
uint64_t kp_totals_tcache(void);

#endif
