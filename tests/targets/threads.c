/* SPDX-License-Identifier: MIT */
/*
 * Threads that come and go, and allocations where a thread has almost ended.
 *
 *   threads sequence N     N threads one after another, each leaves one block of 48 bytes alive
 *   threads together N     N at once, each leaves 10 blocks of 48 bytes
 *   threads endings N      N threads, each ended by return, pthread_exit or cancellation, with a
 *                          key whose destructor frees a block and leaves one of 96 bytes
 *   threads handover N     N threads free what the thread before has allocated
 *   threads leader N       the first thread ends at once; another one allocates N blocks of 48 bytes,
 *                          100 a second, and ends the process
 */
#include "target.h"

#include <pthread.h>
#include <unistd.h>

static pthread_key_t key;
static pthread_barrier_t barrier;
static void *from_before;
static pthread_t first;

NOINLINE void *one_block_stays(void) { return keep_pointer(malloc(48)); }

NOINLINE void *block_of_destructor(void) { return keep_pointer(malloc(96)); }

static void *one_block(void *unused)
{
    one_block_stays();
    return unused;
}

static void *ten_blocks(void *unused)
{
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 10; i++)
        one_block_stays();
    pthread_barrier_wait(&barrier);
    return unused;
}

static void key_destructor(void *block)
{
    static __thread int rounds;
    free(block);
    if (rounds++ < 2) /* the library must cope with being called again in later rounds */
        pthread_setspecific(key, keep_pointer(malloc(200)));
    else
        block_of_destructor();
}

static void *ends_somehow(void *number)
{
    pthread_setspecific(key, keep_pointer(malloc(200)));
    if ((uintptr_t)number % 3 == 1)
        pthread_exit(NULL);
    if ((uintptr_t)number % 3 == 2)
        for (;;) {
            free(keep_pointer(malloc(64)));
            pthread_testcancel();
        }
    return NULL;
}

static void *handover(void *unused)
{
    free(from_before);
    from_before = keep_pointer(malloc(333));
    return unused;
}

static void *outlives_main(void *number)
{
    for (uintptr_t i = 0; i < (uintptr_t)number; i++) {
        one_block_stays();
        usleep(10000);
    }
    check_equal(0, pthread_tryjoin_np(first, NULL), "the first thread has ended");
    exit(finish());
}

static void main_ends_first(int count)
{
    pthread_t thread;
    first = pthread_self();
    pthread_create(&thread, NULL, outlives_main, (void *)(uintptr_t)count);
    pthread_exit(NULL);
}

static void run(int count, void *(*body)(void *), int cancel_every_third)
{
    int bad = 0;
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        bad += pthread_create(&thread, NULL, body, (void *)(uintptr_t)i) != 0;
        if (cancel_every_third && i % 3 == 2)
            pthread_cancel(thread);
        bad += pthread_join(thread, NULL) != 0;
    }
    check_equal(0, bad, "every thread started and ended");
}

static void together(int count)
{
    pthread_t thread[1000];
    int bad = 0;
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        bad += pthread_create(&thread[i], NULL, ten_blocks, NULL) != 0;
    for (int i = 0; i < count; i++)
        bad += pthread_join(thread[i], NULL) != 0;
    check_equal(0, bad, "all threads ran at once");
}

int main(int argc, char **argv)
{
    int count = argc == 3 ? atoi(argv[2]) : 0;
    if (count < 1 || count > 100000)
        return 2;
    pthread_key_create(&key, key_destructor);
    if (!strcmp(argv[1], "sequence"))
        run(count, one_block, 0);
    else if (!strcmp(argv[1], "together"))
        together(count > 1000 ? 1000 : count);
    else if (!strcmp(argv[1], "endings"))
        run(count, ends_somehow, 1);
    else if (!strcmp(argv[1], "handover"))
        run(count, handover, 0);
    else if (!strcmp(argv[1], "leader"))
        main_ends_first(count);
    else
        return 2;
    return finish();
}
