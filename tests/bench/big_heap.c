/* SPDX-License-Identifier: MIT */
/* A heap of 1 GB in blocks that THREADS have made, then allocation for some seconds, during which snapshots are taken.
 * SHAPE: full (blocks of 248 bytes), holes (of those one in 16 is kept), mixed (of 16 to 8,000 bytes, half are freed).
 * usage: big_heap SHAPE THREADS SECONDS */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAP 1000000000L
#define MOST_THREADS 16

static const char *shape;
static long bytes_each;

static unsigned random_of(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33);
}

static size_t size_of(uint64_t *state)
{
    if (strcmp(shape, "mixed") != 0)
        return 248;
    return 16 + random_of(state) % (random_of(state) % 10 ? 500 : 8000);
}

static int is_freed(long i, uint64_t *state)
{
    if (strcmp(shape, "holes") == 0)
        return i % 16 != 0;
    return strcmp(shape, "mixed") == 0 && random_of(state) % 2;
}

static void *fill(void *seed)
{
    uint64_t state = (uintptr_t)seed;
    long most = bytes_each / 16, count = 0;
    void **blocks = malloc((size_t)most * sizeof *blocks);

    for (long made = 0; made < bytes_each; count++) {
        size_t size = size_of(&state);

        blocks[count] = memset(malloc(size), 1, size);
        made += (long)size;
    }
    for (long i = 0; i < count; i++)
        if (is_freed(i, &state))
            free(blocks[i]);
    return blocks;
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_THREADS];
    int count = argc > 2 ? atoi(argv[2]) : 1;

    if (argc != 4 || count < 1 || count > MOST_THREADS)
        return fprintf(stderr, "usage: big_heap full|holes|mixed THREADS SECONDS\n"), 1;
    shape = argv[1];
    bytes_each = HEAP / count;
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, fill, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 100 * atoi(argv[3]); i++) {
        void *block = malloc(200000);

        __asm__ volatile("" : : "r"(block) : "memory");
        free(block);
        usleep(10000);
    }
    return 0;
}
