/* SPDX-License-Identifier: MIT */
/*
 * Time of the fuzzed code: sleeping costs nothing and moves the clocks on, so that a collector's
 * patience is played through in no time, and one that waits for ever is found at once. The linker
 * puts these in place of nanosleep(), usleep() and clock_gettime() (--wrap).
 */
#ifndef KP_FUZZ_CLOCK_H
#define KP_FUZZ_CLOCK_H

#include <signal.h>
#include <stdint.h>

/* Set when this much has been slept since the last start; what kp_collect_options.stop is for. */
extern volatile sig_atomic_t kp_fuzz_clock_rang;
/* Sleeping longer than `most_s` in all from now on aborts. */
void kp_fuzz_clock_start(unsigned rings_after_s, unsigned most_s);

#endif
