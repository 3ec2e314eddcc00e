/* SPDX-License-Identifier: MIT */
/*
 * The clock of a replay. Some allocators give memory back after a while (jemalloc by its decay,
 * mimalloc by its purge delay), and a replay takes another time than the program did. So this stands
 * before libc's function, and once a replay has begun, the clocks that only go forward say when the
 * program made the call. Linked to kprof-ab alone. Any thread.
 */
#include "ab_replay_worker.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull

int clock_gettime(clockid_t clock, struct timespec *now)
{
    uint64_t ns = kp_ab_replay_now_ns;
    bool is_of_events = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ||
                        clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME;

    if (!ns || !is_of_events)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){(time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS)};
    return 0;
}
