/* SPDX-License-Identifier: MIT */
/*
 * Many processes, each a seed: two threads allocate a mix of sizes and free most of it. Their
 * truth is kept by lib/truth.c in front of the library; what the recording says of each process
 * must hold it in 95 of 100.
 *
 *   seeds MIX PROCESSES     MIX 0: one size, 1: even, 2: few large among many small, 3: powers of two
 */
#include "target.h"

#include <pthread.h>
#include <sys/wait.h>

#define BLOCKS 6000

static int mix;

static size_t size_of(uint64_t random)
{
    switch (mix) {
    case 0: return 48;
    case 1: return 16 + random % 1000;
    case 2: return random % 100 == 0 ? 20000 : 32;
    default: return (size_t)16 << random % 12;
    }
}

static void *allocate(void *seed)
{
    uint64_t random = (uintptr_t)seed;
    for (int i = 0; i < BLOCKS; i++) {
        void *p = keep_pointer(malloc(size_of(next_random(&random) >> 8)));
        if (next_random(&random) % 8)
            free(p);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    mix = atoi(argv[1]);
    for (int i = 1; i <= atoi(argv[2]); i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t other;
            pthread_create(&other, NULL, allocate, (void *)(uintptr_t)(i * 2));
            allocate((void *)(uintptr_t)(i * 2 + 1));
            pthread_join(other, NULL);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}
