/* SPDX-License-Identifier: MIT */
/*
 * A C program that uses every part of the allocator from several threads and checks what is in
 * its blocks; prints a sum that depends on all of it. mixed_blocks() leaves 3,000 blocks of
 * 150 bytes alive.
 *
 *   mix THREADS [ROUNDS]
 */
#include "target.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>

#define SLOTS 512
static int rounds = 40000, corrupt;

NOINLINE void mixed_blocks(void)
{
    for (int i = 0; i < 3000; i++)
        keep_pointer(malloc(150));
}

static void *any_block(uint32_t n, size_t size)
{
    void *p = NULL;
    switch (n % 8) {
    case 0: return calloc(size, 1);
    case 1: return posix_memalign(&p, 128, size) ? NULL : p;
    case 2: return aligned_alloc(32, (size + 31) & ~(size_t)31);
    case 3: return reallocarray(NULL, size, 1);
    case 4: return memalign(64, size);
    default: return malloc(size);
    }
}

static void *mix(void *seed)
{
    struct slot { unsigned char *p; size_t size; } slot[SLOTS] = {{0}};
    uint64_t random = (uint64_t)(uintptr_t)seed * 977 + 1, sum = 0;
    for (int i = 0; i < rounds; i++) {
        uint32_t n = next_random(&random), k = n % SLOTS;
        size_t size = next_random(&random) % (n % 100 ? 800 : 300000) + 1;
        unsigned char *p = slot[k].p, mark = (unsigned char)k;
        if (p && (p[0] != mark || p[slot[k].size - 1] != mark))
            __atomic_add_fetch(&corrupt, 1, __ATOMIC_RELAXED);
        if (slot[k].p && n % 5 == 0) {
            slot[k].p = realloc(slot[k].p, size);
        } else {
            free(slot[k].p);
            slot[k].p = keep_pointer(any_block(n >> 12, size));
        }
        slot[k].size = size;
        slot[k].p[0] = slot[k].p[size - 1] = (unsigned char)k;
        sum += size;
    }
    for (int k = 0; k < SLOTS; k += 2)
        free(slot[k].p);
    return (void *)(uintptr_t)sum;
}

int main(int argc, char **argv)
{
    pthread_t thread[16];
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    uintptr_t sum = 0;
    if (argc > 2)
        rounds = atoi(argv[2]);
    for (int i = 0; i < threads && i < 16; i++)
        pthread_create(&thread[i], NULL, mix, (void *)(uintptr_t)i);
    for (int i = 0; i < threads && i < 16; i++) {
        void *part;
        pthread_join(thread[i], &part);
        sum += (uintptr_t)part;
    }
    mixed_blocks();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mixed_blocks();
        mix((void *)99);
        _exit(corrupt ? 1 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    say("# sum %zu", (size_t)sum);
    check_equal(0, status, "the child ended well");
    check_equal(0, corrupt, "every block held what was put into it");
    return finish();
}
