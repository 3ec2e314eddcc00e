/* SPDX-License-Identifier: MIT */
/*
 * The table of live samples: what was inserted is found with its id, what was taken is gone and
 * leaves nothing behind (no tombstones: a miss costs the same after millions of insertions), and
 * the filter never says no to a pointer that is in. Against a plain model, with pointers that lie
 * as a heap's do: dense pages, several arenas 64 MiB apart, two of them 2 GiB, where the filter
 * wraps. Both ways of laying out the table, for few samples and for many; the latter grows until it
 * asks for huge pages, also where there are none, and a forked child begins with nothing.
 */
#include "live.h"
#include "settings.h"
#include "state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTERS 60000
#define STEPS 2000000
#define MANY 300000u

static uint64_t model[POINTERS];

static void say(int good, const char *what)
{
    printf("%s - %s\n", good ? "ok" : "not ok", what);
}

static void *pointer_of(unsigned i)
{
    static const uintptr_t arenas[5] = {0, 1, 2, 32, 64};

    return (void *)(0x7f0000000000u + arenas[i % 5] * (64u << 20) + (uintptr_t)(i / 5) * 48);
}

static int step(uint64_t id)
{
    unsigned i = (unsigned)random() % POINTERS;
    void *pointer = pointer_of(i);
    uint64_t stale, got;

    if (model[i]) {
        if (!kp_filter_hit(pointer) || kp_live_misses(pointer) || kp_live_peek(pointer) != model[i])
            return 0;
        if (kp_live_take(pointer, model[i] + 1) != 0)
            return 0;
        got = kp_live_take(pointer, 0);
        if (got != model[i])
            return 0;
        model[i] = 0;
        return kp_live_misses(pointer) && kp_live_take(pointer, 0) == 0;
    }
    if (!kp_live_insert(pointer, id, &stale) || stale)
        return 0;
    model[i] = id;
    return 1;
}

static void *hammer(void *argument)
{
    uintptr_t base = 0x100000000u * (1 + (uintptr_t)argument);
    intptr_t bad = 0;
    uint64_t stale;

    for (int round = 0; round < 200; round++) {
        for (uintptr_t i = 0; i < 2000; i++)
            bad += !kp_live_insert((void *)(base + i * 32), base + i + 1, &stale);
        for (uintptr_t i = 0; i < 2000; i++)
            bad += kp_live_take((void *)(base + i * 32), 0) != base + i + 1;
    }
    return (void *)bad;
}

static int two_threads(void)
{
    pthread_t threads[2];
    void *bad[2];

    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, hammer, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &bad[i]);
    return !bad[0] && !bad[1];
}

static void check(uint64_t rate)
{
    uint64_t stale = 0, before;
    int good = 1, live = 0;

    printf("# KPROF_RATE=%lu\n", rate);
    kp_settings.rate_bytes = rate;
    say(kp_live_init(), "the table can be made");
    for (uint64_t id = 1; id <= STEPS && good; id++)
        good = step(id);
    say(good, "two million insertions and removals agree with a plain model");
    for (int i = 0; i < POINTERS; i++)
        live += model[i] != 0;
    before = kp_live_count();
    say(before == (uint64_t)live, "its count is the model's");
    say(two_threads() && kp_live_count() == before, "two threads at once lose nothing");
    for (int i = 0; i < POINTERS; i++)
        if (model[i])
            kp_live_take(pointer_of((unsigned)i), 0);
    say(kp_live_count() == 0, "when all is taken nothing is left");
    int zeros = 1;
    for (unsigned i = 0; i < KP_FILTER_BYTES; i++)
        zeros &= kp_filter[i] == 0;
    say(zeros, "the filter is all zero again");
    kp_live_insert(pointer_of(1), 5, &stale);
    kp_live_insert(pointer_of(1), 9, &stale);
    say(stale == 5 && kp_live_peek(pointer_of(1)) == 9 && kp_live_count() == 1,
        "an address used again replaces the old sample and says which it was");
    kp_live_take(pointer_of(1), 0);
    memset(model, 0, sizeof model);
}

static void *many_of(uintptr_t i)
{
    return (void *)(0x600000000000u + i * 32);
}

/* From an empty table. */
static int holds_many(void)
{
    uint64_t stale;
    int good = kp_live_count() == 0;

    for (uintptr_t i = 0; i < MANY; i++)
        good &= kp_live_misses(many_of(i)) && kp_live_insert(many_of(i), i + 1, &stale) && !stale;
    for (uintptr_t i = 0; i < MANY; i++)
        good &= kp_live_peek(many_of(i)) == i + 1;
    return good && kp_live_count() == MANY;
}

static int lets_many_go(void)
{
    int good = 1;

    for (uintptr_t i = 0; i < MANY; i++)
        good &= kp_live_take(many_of(i), 0) == i + 1 && kp_live_misses(many_of(i));
    return good && kp_live_count() == 0;
}

static int child_says(int (*test)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(!test());
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int grows_again(void)
{
    return holds_many() && lets_many_go();
}

static int grows_in_small_pages(void)
{
    return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 && grows_again();
}

static void check_growth(void)
{
    say(child_says(grows_in_small_pages), "it grows where there are no huge pages");
    say(holds_many(), "it grows to 300,000 and holds each");
    say(child_says(grows_again), "a forked child begins with nothing and grows as well");
    say(lets_many_go(), "its parent keeps all, until they are taken");
}

int main(void)
{
    check(4096);
    check_growth();
    check(1);
    check_growth();
    return 0;
}
