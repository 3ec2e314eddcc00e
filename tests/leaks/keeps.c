/* SPDX-License-Identifier: MIT */
/*
 * keeps ROUNDS BYTES marks|silent|late [killed]: each round works on a buffer, gives it back, and
 * forgets BYTES ("late": in the last 40 % of the rounds). "killed": after the last one it is.
 */
#include <kprof.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *work(size_t bytes)
{
    char *memory = malloc(bytes);

    memset(memory, 1, bytes);
    return memory;
}

static void forget(size_t bytes)
{
    if (bytes)
        memset(malloc(bytes), 2, bytes);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 100, late = argc > 3 && !strcmp(argv[3], "late");
    int marks = late || (argc > 3 && !strcmp(argv[3], "marks"));

    for (int i = 0; i < rounds; i++) {
        free(work(3000 + (size_t)(i * 7919 % 5000)));
        forget(argc > 2 && (!late || 5 * i >= 3 * rounds) ? (size_t)atoi(argv[2]) : 0);
        if (marks)
            kprof_iteration();
        if (i % 4 == 0)
            usleep(500); /* time for totals, of which 1 % goes to them */
    }
    if (argc > 4)
        raise(SIGKILL);
    return 0;
}
