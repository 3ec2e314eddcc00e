/* SPDX-License-Identifier: MIT */
/*
 * Everything at once that could meet a snapshot of the heap in a bad moment: threads that take and
 * give back blocks of all sizes, marks from all of them and from a signal handler, and children made
 * meanwhile, which end with whatever locks the others held at the fork.
 *
 * usage: snapshot_storm [forks]
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define BLOCKS 400

void kprof_iteration(void) __attribute__((weak));
static atomic_bool is_over;
static atomic_uint damaged;

static void mark(void)
{
    if (kprof_iteration)
        kprof_iteration();
}

static void on_alarm(int signal)
{
    (void)signal;
    mark();
}

static void *churn(void *seed)
{
    uint32_t random = (uint32_t)(uintptr_t)seed;
    unsigned char *blocks[BLOCKS] = {0};

    while (!is_over)
        for (unsigned i = 0; i < BLOCKS; i++) {
            random = random * 1103515245u + 12345u;
            unsigned at = random >> 8 & 0xffff;
            size_t bytes = 16 + (at < 200 ? 200000 : at % 3000);

            if (blocks[i] && *blocks[i] != (unsigned char)i)
                damaged++;
            free(blocks[i]);
            blocks[i] = malloc(bytes);
            memset(blocks[i], (int)i, bytes < 64 ? bytes : 64);
            if (at % 1024 == 0)
                mark();
        }
    for (unsigned i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return NULL;
}

/* A child that allocates a little; every second one ends by exit(). */
static int child(int number)
{
    for (int i = 0; i < 200; i++)
        free(malloc((size_t)(100 + i)));
    mark();
    if (number % 2)
        exit(0);
    _exit(0);
}

int main(int argc, char **argv)
{
    int forks = argc > 1 ? atoi(argv[1]) : 60, failed = 0, status;
    struct itimerval often = {{0, 3000}, {0, 3000}};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < forks; i++) {
        pid_t pid = fork();

        if (pid == 0)
            child(i);
        while (waitpid(pid, &status, 0) < 0)
            ;
        failed += status != 0;
    }
    is_over = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%s - all children end well: %d do not\n", failed ? "not ok" : "ok", failed);
    printf("%s - no block is written to by anybody else: %u are\n", damaged ? "not ok" : "ok", damaged);
    return failed || damaged;
}
