/* SPDX-License-Identifier: MIT */
/*
 * The clock of the small programs that `make bench` times. Included by each; they are linked from
 * one file.
 */
#ifndef KP_BENCH_CLOCK_H
#define KP_BENCH_CLOCK_H

#include <time.h>

static inline double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#endif
