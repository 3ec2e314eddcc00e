/* SPDX-License-Identifier: MIT */
/*
 * A timer's handler marks iterations while all threads are in malloc: a mark that asked the
 * allocator there would wait for a lock that its own thread holds. Prints how often it marked.
 */
#include <kprof.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define MARKS 3000

static _Atomic unsigned marks;

static void on_timer(int number)
{
    (void)number;
    if (atomic_fetch_add(&marks, 1) < MARKS)
        kprof_iteration();
}

static void *churn(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    char *blocks[256] = {0};

    while (marks < MARKS) {
        unsigned i = (state = state * 1103515245 + 12345) >> 16 & 255;

        free(blocks[i]);
        blocks[i] = malloc(state >> 20 & 4095);
    }
    for (unsigned i = 0; i < 256; i++)
        free(blocks[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    static char other[65536];
    stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART | SA_NODEFER};
    struct itimerval every = {{0, 300}, {0, 300}};
    pthread_t thread[2];

    if (argc > 1 && strcmp(argv[1], "altstack") == 0) {
        sigaltstack(&stack, NULL);
        action.sa_flags = SA_RESTART | SA_ONSTACK;
    }
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (size_t i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, churn, (void *)(i + 1));
    churn((void *)9);
    for (size_t i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    every = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
    printf("%d\n", MARKS);
    return 0;
}
