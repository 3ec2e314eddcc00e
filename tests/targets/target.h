/* SPDX-License-Identifier: MIT */
/*
 * What the target programs share. A target that checks itself prints "ok - ..." or "not ok - ..."
 * for each thing by check(), without allocating, and returns finish(). Blocks go through
 * keep_pointer() so that no compiler removes an allocation that the test counts.
 */
#ifndef KP_TARGET_H
#define KP_TARGET_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

__attribute__((unused)) static int failed_checks;

__attribute__((unused)) static void say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (n < 0 || n > (int)sizeof line - 2)
        n = (int)sizeof line - 2;
    line[n++] = '\n';
    for (int done = 0; done < n;) {
        ssize_t wrote = write(1, line + done, (size_t)(n - done));
        if (wrote <= 0)
            return;
        done += (int)wrote;
    }
}

__attribute__((unused)) static int check(int good, const char *what)
{
    if (!good)
        __atomic_add_fetch(&failed_checks, 1, __ATOMIC_RELAXED);
    say(good ? "ok - %s" : "not ok - %s: it did not", what);
    return good;
}

/* The same with the two numbers when they differ. */
__attribute__((unused)) static int check_equal(long long expected, long long got, const char *what)
{
    if (expected == got)
        return check(1, what);
    __atomic_add_fetch(&failed_checks, 1, __ATOMIC_RELAXED);
    say("not ok - %s: expected %lld, got %lld", what, expected, got);
    return 0;
}

__attribute__((unused)) static int finish(void) { return failed_checks ? 1 : 0; }

__attribute__((unused)) static inline void *keep_pointer(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

__attribute__((unused)) static inline double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Pseudo-random, one state a user; no lock, no allocation. */
__attribute__((unused)) static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*state >> 33);
}

#endif
