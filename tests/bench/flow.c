/* SPDX-License-Identifier: MIT */
/* A steady flow of allocation: MB a second of CPU time, mixed sizes, a live set of 4,096 blocks,
 * below a stack of 16 calls; the rest of the time is arithmetic. A fixed amount of work, so that
 * CPU times can be compared. usage: flow MB_PER_S SECONDS [TICKS_OF_WORK]; without the third it
 * measures how much arithmetic makes the flow that slow and prints it. What the first second costs
 * is left out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEPT 4096

static void *kept[KEPT];
static volatile uint64_t sink;

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t size_of(uint64_t i, long mb)
{
    size_t base = mb >= 1000 ? 4096 : 64;

    return base + (i * 2654435761u >> 7) % base;
}

static __attribute__((noinline)) void allocate(uint64_t i, long mb)
{
    size_t bytes = size_of(i, mb);
    char *block = malloc(bytes);

    block[0] = 1;
    free(kept[i % KEPT]);
    kept[i % KEPT] = block;
}

static __attribute__((noinline)) void call(int depth, uint64_t i, long mb)
{
    if (depth)
        call(depth - 1, i, mb);
    else
        for (uint64_t n = 0; n < 64; n++)
            allocate(i * 64 + n, mb);
    __asm__ volatile("");
}

static void work(uint64_t ticks)
{
    uint64_t x = ticks;

    while (ticks--)
        x = x * 6364136223846793005u + 1442695040888963407u;
    sink = x;
}

static double run(long mb, uint64_t rounds, uint64_t ticks)
{
    double began = cpu_s();

    for (uint64_t i = 0; i < rounds; i++) {
        call(16, i, mb);
        work(ticks);
    }
    return cpu_s() - began;
}

int main(int argc, char **argv)
{
    long mb = argc > 1 ? atol(argv[1]) : 100;
    double seconds = argc > 2 ? atof(argv[2]) : 1;
    double bytes_a_round = 64 * (double)(mb >= 1000 ? 6144 : 96);
    uint64_t rounds = (uint64_t)((double)mb * 1e6 * seconds / bytes_a_round);

    if (argc > 3) {
        uint64_t ticks = strtoull(argv[3], NULL, 10);

        run(mb, (uint64_t)((double)rounds / seconds), ticks); /* a second to settle in */
        printf("%.4f\n", run(mb, rounds, ticks));
        return 0;
    }
    double plain = run(mb, 2000, 0) / 2000, wanted = bytes_a_round / ((double)mb * 1e6);
    double tick = run(mb, 200, 100000) / 200 / 100000;
    printf("%.0f\n", wanted > plain ? (wanted - plain) / tick : 0);
    return 0;
}
