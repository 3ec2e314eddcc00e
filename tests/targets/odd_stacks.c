/* SPDX-License-Identifier: MIT */
/*
 * Unusual stacks. A stack that is too small for the library would overflow into a guard page.
 *
 *   odd_stacks small       threads with PTHREAD_STACK_MIN and 64 KiB that allocate some calls deep
 *   odd_stacks coroutines  makecontext/swapcontext coroutines of 64 KiB that allocate in turns
 *   odd_stacks deep        20,000 frames of recursion with an allocation at the bottom and on the way
 */
#include "target.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#define COROUTINES 50
static ucontext_t main_context, context[COROUTINES];
static int turns;

NOINLINE int down(int depth, int every)
{
    char local[16];
    memset(keep_pointer(local), depth, sizeof local);
    if (depth % every == 0)
        free(keep_pointer(malloc((size_t)depth + 1)));
    int below = depth > 0 ? down(depth - 1, every) : 0;
    return below + (*(char *)keep_pointer(local) == (char)depth);
}

static void *small_thread(void *unused)
{
    for (int i = 0; i < 100; i++)
        if (down(20, 4) != 21)
            abort();
    return unused;
}

static void small(size_t bytes, const char *what)
{
    pthread_attr_t attr;
    int good = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, bytes);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attr, small_thread, NULL) == 0)
            good += pthread_join(thread, NULL) == 0;
    }
    check_equal(50, good, what);
}

static void coroutine(int number)
{
    for (int i = 0; i < 100; i++) {
        void *p = keep_pointer(malloc((size_t)(number * 10 + 1)));
        down(10, 3);
        swapcontext(&context[number], &main_context);
        free(p);
        turns++;
    }
}

static void coroutines(void)
{
    for (int i = 0; i < COROUTINES; i++) {
        char *stack = mmap(NULL, 69632, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(stack, 4096, PROT_NONE);
        getcontext(&context[i]);
        context[i].uc_stack.ss_sp = stack + 4096;
        context[i].uc_stack.ss_size = 65536;
        context[i].uc_link = &main_context;
        makecontext(&context[i], (void (*)(void))coroutine, 1, i);
    }
    for (int turn = 0; turn < 101; turn++)
        for (int i = 0; i < COROUTINES; i++)
            swapcontext(&main_context, &context[i]);
    check_equal(COROUTINES * 100, turns, "coroutines that allocate go on where they were");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    if (!strcmp(argv[1], "small")) {
        small((size_t)PTHREAD_STACK_MIN, "threads with the smallest stack there is");
        small(65536, "threads with 64 KiB of stack");
    } else if (!strcmp(argv[1], "coroutines")) {
        coroutines();
    } else {
        for (int i = 0; i < 5; i++)
            if (down(20000, 1000) != 20001)
                abort();
        check(1, "20,000 frames of recursion");
    }
    return finish();
}
