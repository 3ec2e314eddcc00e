/* SPDX-License-Identifier: MIT */
/*
 * See fuzz_clock.h.
 */
#include "fuzz_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

volatile sig_atomic_t kp_fuzz_clock_rang;
static uint64_t slept_ns, started_ns, rings_after_ns, most_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_usleep(useconds_t us);

void kp_fuzz_clock_start(unsigned rings_after_s, unsigned most_s)
{
    kp_fuzz_clock_rang = 0;
    started_ns = slept_ns;
    rings_after_ns = (uint64_t)rings_after_s * NS_PER_S;
    most_ns = (uint64_t)most_s * NS_PER_S;
}

static void pass(uint64_t ns)
{
    slept_ns += ns;
    if (slept_ns - started_ns > rings_after_ns)
        kp_fuzz_clock_rang = 1;
    if (slept_ns - started_ns > most_ns) {
        fprintf(stderr, "fuzz: sleeps for ever\n");
        abort();
    }
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    pass((uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec);
    return 0;
}

int __wrap_usleep(useconds_t us)
{
    pass((uint64_t)us * 1000u);
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = __real_clock_gettime(clock, time);
    uint64_t ns = (uint64_t)time->tv_nsec + slept_ns % NS_PER_S;
    time->tv_sec += (time_t)(slept_ns / NS_PER_S + ns / NS_PER_S);
    time->tv_nsec = (long)(ns % NS_PER_S);
    return result;
}
