/* SPDX-License-Identifier: MIT */
/*
 * A run with the profiler is there for two answers: what the profiler costs, and whether live memory
 * grows, which no resident set can tell. The second is that of the leak report, asked in a process
 * of its own: the largest resident set that the kernel tells of a program begins with that of whoever
 * started it, so that kprof-ab must stay small. One thread.
 */
#include "ab_measure.h"
#include "query_leaks.h"
#include "recording.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static void ask(const char *database, struct kp_ab_run *run)
{
    struct kp_settled settled;
    struct kp_error error = {""};
    struct kp_query *query = NULL;
    struct kp_leaks leaks;
    struct kp_leak_request request = {.group = KP_LEAK_BY_PLACE};
    if (kp_recording_settle(database, false, &settled, &error) == 0 &&
        kp_query_open(&query, settled.path, &error) == 0 &&
        kp_query_leaks(query, &request, &leaks, &error) == 0) {
        bool leaks_surely = leaks.verdict >= KP_LEAK_PROBABLE;
        if (leaks.has_marks && leaks.verdict != KP_LEAK_UNSURE)
            run->figures[KP_AB_LIVE_SLOPE] = leaks_surely ? leaks.rate.value : 0;
        run->figures[KP_AB_ITERATIONS] = leaks.has_marks ? leaks.iterations : 0;
        kp_leaks_release(&leaks);
    }
    kp_query_close(query);
    kp_settled_release(&settled);
}

void kp_ab_measure_recording(const char *database, struct kp_ab_run *run)
{
    struct kp_ab_run asked = *run;
    int answer[2];
    if (pipe(answer) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        ask(database, run);
        ssize_t wrote = write(answer[1], run->figures, sizeof run->figures);
        _exit(wrote == sizeof run->figures ? 0 : 1);
    }
    close(answer[1]);
    if (pid > 0 && read(answer[0], asked.figures, sizeof asked.figures) == sizeof asked.figures)
        *run = asked;
    close(answer[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
