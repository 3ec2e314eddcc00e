/* SPDX-License-Identifier: MIT */
/*
 * A program whose answer is known: threads take turns, each fills MEGABYTES with small blocks, frees
 * all but the last, and stays. In an arena of its own each keeps what it had; with one arena for all
 * the next thread takes what the one before has freed. `leak` keeps a little of each iteration more.
 *
 * usage: churn [threads] [megabytes] [rounds] [leak]
 */
#include <kprof.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static size_t threads = 8, megabytes = 6, rounds = 6, leak;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all;

static void fill(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(400 + i % 7 * 16);
        memset(blocks[i], 1, 400);
    }
}

static void *work(void *unused)
{
    size_t count = megabytes * 1000000 / 450;
    void **blocks = malloc(count * sizeof *blocks);
    (void)unused;
    for (size_t r = 0; r < rounds; r++) {
        pthread_mutex_lock(&turn);
        fill(blocks, count);
        for (size_t i = 0; i + 1 < count; i++)
            free(blocks[i]);
        for (size_t i = 0; i < leak; i += 1000)
            memset(malloc(1000), 1, 1000);
        kprof_iteration();
        pthread_mutex_unlock(&turn);
        pthread_barrier_wait(&all);
        if (r + 1 < rounds) /* the last one is what pins the arena's top */
            free(blocks[count - 1]);
    }
    return blocks;
}

int main(int argc, char **argv)
{
    size_t *arguments[] = {&threads, &megabytes, &rounds, &leak};
    for (int i = 1; i < argc && i < 5; i++)
        *arguments[i - 1] = strtoul(argv[i], NULL, 10);
    pthread_t *started = malloc(threads * sizeof *started);
    pthread_barrier_init(&all, NULL, (unsigned)threads);
    for (size_t i = 0; i < threads; i++)
        pthread_create(&started[i], NULL, work, NULL);
    for (size_t i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    return 0;
}
