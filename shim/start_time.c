/* SPDX-License-Identifier: MIT */
/*
 * The kernel tells when a process began in hundredths of a second only, and nothing of its exec. A
 * process that begins does not sleep, so its age is the time that it ran and the time that it was
 * ready to run but had no CPU. Both go on over an exec: the collector takes off what the program
 * before has used. Both readings may be interrupted for as long as a whole start takes: what they
 * took is taken off. Called once, in the first allocation of the process, by its main thread.
 */
#include "start_time.h"

#include "sys.h"

#include <time.h>

/* Of the main thread; 0 where the kernel does not count it. */
static uint64_t waited_for_cpu_ns(void)
{
    char text[64];
    long bytes = kp_sys_read_file("/proc/self/schedstat", text, sizeof text - 1);
    uint64_t ns = 0;
    const char *at = text;

    if (bytes <= 0)
        return 0;
    text[bytes] = 0;
    while (*at && *at != ' ')
        at++;
    while (*at == ' ')
        at++;
    for (; *at >= '0' && *at <= '9'; at++)
        ns = ns * 10 + (uint64_t)(*at - '0');
    return ns;
}

uint64_t kp_start_time_ago_ns(void)
{
    uint64_t began = kp_sys_clock_ns(CLOCK_MONOTONIC);
    uint64_t age = kp_sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + waited_for_cpu_ns();
    uint64_t took = kp_sys_clock_ns(CLOCK_MONOTONIC) - began;

    return age > took ? age - took : 0;
}
