/* SPDX-License-Identifier: MIT */
/* Runs a command on one processor that it shares with what it is compared to, in turns of some 20
 * milliseconds. By itself the system gives turns of three, after each of which both find the
 * processor's caches full of the other's: whoever uses more memory would pay for that, though no
 * user has such a neighbour. A system that knows no such wish (before Linux 6.12) and one with other
 * work to do gives shorter turns.
 * usage: one_processor CPU LIBRARY|- command... ; the library is preloaded into the command only. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TURN_NS 20000000u

struct kernel_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

int main(int argc, char **argv)
{
    struct kernel_sched_attr turns = {.size = sizeof turns, .policy = SCHED_BATCH, .runtime = TURN_NS};
    cpu_set_t set;

    if (argc < 4)
        return 2;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[1]), &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        fprintf(stderr, "one_processor: %s\n", strerror(errno));
        return 1;
    }
    syscall(SYS_sched_setattr, 0, &turns, 0);
    if (strcmp(argv[2], "-"))
        setenv("LD_PRELOAD", argv[2], 1);
    execvp(argv[3], argv + 3);
    fprintf(stderr, "one_processor: %s: %s\n", argv[3], strerror(errno));
    return 127;
}
