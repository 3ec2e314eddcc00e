/* SPDX-License-Identifier: MIT */
/*
 * The parent's side of fuzz_child.h. The child has a limit of CPU time, which does not depend on
 * how busy the machine is, a longer one of time, and its memory is watched: AddressSanitizer's
 * address space is too large for RLIMIT_AS.
 */
#include "fuzz_child.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_LIMIT_S 10
#define TIME_LIMIT_MS 60000
#define RSS_LIMIT_KB (768 << 10)
#define POLL_MS 50
#define DONE 64 /* exit status of a child that has come to its end */

/* Shared with the child. */
struct outcome {
    int status;
    char wrong[128];
};
static struct outcome *outcome;

struct kp_fuzz_plan kp_fuzz_plan(struct kp_fuzz_random *random, const struct kp_fuzz_case *one)
{
    struct kp_fuzz_plan plan = {.report = (unsigned)kp_fuzz_below(random, 5),
                                .format = (unsigned)kp_fuzz_below(random, 3),
                                .options = (unsigned)kp_fuzz_below(random, 32)};
    if (one->files[KP_FUZZ_SPOOL].at && kp_fuzz_one_in(random, 3))
        plan.way = kp_fuzz_one_in(random, 4) ? KP_FUZZ_COPY : KP_FUZZ_FOLLOW;
    return plan;
}

static void run_child(const struct kp_fuzz_plan *plan, const char *directory)
{
    struct rlimit cpu = {CPU_LIMIT_S, CPU_LIMIT_S + 1}, none = {0, 0};
    char temporary[4096];
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &none);
    snprintf(temporary, sizeof temporary, "%s/tmp", directory);
    setenv("TMPDIR", temporary, 1);
    outcome->status = -1;
    snprintf(outcome->wrong, sizeof outcome->wrong, "%s", "it ended before its time");
    if (chdir(directory) != 0)
        _exit(2);
    const char *wrong = kp_fuzz_go(plan, &outcome->status);
    snprintf(outcome->wrong, sizeof outcome->wrong, "%s", wrong ? wrong : "");
    _exit(DONE);
}

static uint64_t resident_kb(pid_t child)
{
    char path[64];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)child);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * 4;
}

/* NULL when it ended by itself in time. poll() sleeps, as nanosleep() is not what it was (see
 * fuzz_clock.h); without a pidfd it sleeps in short steps. */
static const char *wait_for(pid_t child, int *status)
{
    struct rusage usage;
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    int step_ms = end.fd >= 0 ? POLL_MS : 1;
    const char *wrong = NULL;
    bool has_ended = false;
    for (int waited_ms = 0; !has_ended && !wrong; waited_ms += step_ms) {
        poll(&end, 1, step_ms);
        has_ended = wait4(child, status, WNOHANG, &usage) == child;
        if (!has_ended && resident_kb(child) > RSS_LIMIT_KB)
            wrong = "it takes too much memory";
        else if (!has_ended && waited_ms > TIME_LIMIT_MS)
            wrong = "it hangs";
    }
    if (!has_ended) {
        kill(child, SIGKILL);
        wait4(child, status, 0, &usage);
    }
    if (end.fd >= 0)
        close(end.fd);
    return wrong ? wrong : usage.ru_maxrss > RSS_LIMIT_KB ? "it took too much memory" : NULL;
}

static const char *judge_end(int status)
{
    static char text[64];
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return "it takes too much CPU time";
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "it was ended by signal %d", WTERMSIG(status));
        return text;
    }
    if (WEXITSTATUS(status) == DONE)
        return *outcome->wrong ? outcome->wrong : NULL;
    if (WEXITSTATUS(status) == 1 && outcome->status < 0)
        return NULL; /* out of memory, told on stderr */
    snprintf(text, sizeof text, "it ended with status %d", WEXITSTATUS(status));
    return text;
}

/* Removes what is there, one level down too; a name that should not be there goes to `left`. */
static void sweep(const char *directory, const char *const *known, char *left, size_t left_bytes)
{
    DIR *list = opendir(directory);
    struct dirent *entry;
    char path[4400];
    while (list && (entry = readdir(list))) {
        bool is_known = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
        if (is_known)
            continue;
        for (const char *const *name = known; *name; name++)
            is_known |= !strcmp(*name, entry->d_name);
        if (!is_known && !*left)
            snprintf(left, left_bytes, "it leaves %s", entry->d_name);
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (unlink(path) != 0 && rmdir(path) != 0 && entry->d_type == DT_DIR) {
            sweep(path, known, left, left_bytes);
            rmdir(path);
        }
    }
    if (list)
        closedir(list);
}

static const char *clean(const char *directory, const struct kp_fuzz_plan *plan)
{
    static const char *const after_report[] = {"x.db", "x.db-wal", "x.db-spool", "tmp", NULL};
    static const char *const after_collector[] = {"x.db",       "x.db-wal", "x.db-shm",
                                                  "x.db-spool", "tmp",      NULL};
    static char left[300];
    *left = '\0';
    sweep(directory, plan->way == KP_FUZZ_FOLLOW ? after_collector : after_report, left,
          sizeof left);
    return *left ? left : NULL;
}

static void take_words(int fd, struct kp_fuzz_verdict *verdict, const char *wrong)
{
    char said[sizeof verdict->text - 200] = "";
    ssize_t got = pread(fd, said, sizeof said - 1, 0);
    said[got > 0 ? got : 0] = '\0';
    snprintf(verdict->text, sizeof verdict->text, "%.190s%s%s", wrong, *said ? "\n" : "", said);
}

static int open_memory(void)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    return fd;
}

static pid_t start(const struct kp_fuzz_plan *plan, const char *directory, int out, int err)
{
    fflush(stdout); /* or the child would print it again */
    pid_t child = fork();
    if (child != 0)
        return child;
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    run_child(plan, directory);
    return 0;
}

void kp_fuzz_child_run(const struct kp_fuzz_case *one, const struct kp_fuzz_plan *plan,
                       const char *directory, struct kp_fuzz_verdict *verdict)
{
    char path[4096];
    int status = 0, out = open_memory(), err = open_memory();
    if (!outcome)
        outcome =
            mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(path, sizeof path, "%s/tmp", directory);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/x.db", directory);
    kp_fuzz_case_write(one, path);
    pid_t child = start(plan, directory, out, err);
    const char *wrong = wait_for(child, &status);
    if (!wrong)
        wrong = judge_end(status);
    if (!wrong)
        wrong =
            kp_fuzz_may_change(plan, one, outcome->status) ? NULL : kp_fuzz_case_differs(one, path);
    const char *left = clean(directory, plan);
    if (!wrong)
        wrong = left;
    verdict->failed = wrong != NULL;
    verdict->status = outcome->status;
    if (wrong)
        take_words(err, verdict, wrong);
    close(out);
    close(err);
}
