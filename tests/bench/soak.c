/* SPDX-License-Identifier: MIT */
/* Does free() stay what it was? Prints ns of one free at first and after N samples (with
 * KPROF_RATE=R and blocks of B bytes: allocations = N * R / (B + 16)). usage: soak ALLOCATIONS */
#include "bench_clock.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 1000
#define BLOCK 32

/* ns a free, the best batch of many. */
static double frees(long allocations)
{
    static void *blocks[BATCH];
    double best = 1e9;

    for (long done = 0; done < allocations; done += BATCH) {
        double began, took;

        for (int i = 0; i < BATCH; i++)
            blocks[i] = malloc(BLOCK);
        began = now_ns();
        for (int i = 0; i < BATCH; i++)
            free(blocks[i]);
        took = (now_ns() - began) / BATCH;
        if (took < best)
            best = took;
    }
    return best;
}

int main(int argc, char **argv)
{
    long allocations = argc > 1 ? atol(argv[1]) : 10000000;
    double first = frees(3000000), rest = frees(allocations), last = frees(3000000);

    (void)rest;
    printf("%.3f %.3f\n", first, last);
    return 0;
}
