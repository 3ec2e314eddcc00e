/* SPDX-License-Identifier: MIT */
/* ns of one malloc(64) + free on N threads: the best of many short rounds, so that what else the
 * machine does in between does not count. usage: pair THREADS */
#include "bench_clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PAIRS 200000
#define ROUNDS 60

static double best;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *run(void *unused)
{
    double mine = 1e9;

    for (int round = 0; round < ROUNDS; round++) {
        double began = now_ns(), took;

        for (int i = 0; i < PAIRS; i++) {
            void *block = malloc(64);

            __asm__ volatile("" : : "r"(block) : "memory");
            free(block);
        }
        took = (now_ns() - began) / PAIRS;
        if (took < mine)
            mine = took;
    }
    pthread_mutex_lock(&lock);
    best += mine;
    pthread_mutex_unlock(&lock);
    return unused;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    pthread_t others[16];

    for (int i = 1; i < threads && i < 16; i++)
        pthread_create(&others[i], NULL, run, NULL);
    run(NULL);
    for (int i = 1; i < threads && i < 16; i++)
        pthread_join(others[i], NULL);
    printf("%.3f\n", best / threads);
    return 0;
}
