/* SPDX-License-Identifier: MIT */
/*
 * Signals are blocked and waited for, SIGCHLD among them: one loop sleeps until something happens or
 * the next sample is due, and the end of the run is seen at once. One thread.
 */
#include "ab_launch.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_EVERY_NS 5000000u
#define REST_NS 10000000000u
#define MARGIN_KIB 1024 /* what kprof-ab itself may grow by until it forks */
#define FIRST_SAMPLES 10
#define SAMPLES_MAX 16384
#define GRACE_NS 2000000000u /* between SIGTERM and SIGKILL */
#define WAIT_NS 500000000u   /* for what ends by itself when the program has */

static sigset_t awaited;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void kp_ab_launch_prepare(void)
{
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGHUP);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* In the child. Does not return. */
static void become(const struct kp_ab_launcher *launcher, char **environment, int errors, int told)
{
    sigset_t none;
    int nothing = open("/dev/null", O_RDWR);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nothing, STDIN_FILENO);
    if (!launcher->keep_output) {
        dup2(nothing, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
    }
    if (nothing > STDERR_FILENO)
        close(nothing);
    execvpe(launcher->command[0], launcher->command, environment);
    int reason = errno;
    if (write(told, &reason, sizeof reason) < 0)
        _exit(126);
    _exit(127);
}

/* The pid; -1 when it cannot be run. */
static pid_t start(const struct kp_ab_launcher *launcher, char **environment, int errors,
                   struct kp_error *error)
{
    int told[2], reason = 0;
    if (pipe2(told, O_CLOEXEC) != 0)
        return -kp_error_set(error, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become(launcher, environment, errors, told[1]);
    close(told[1]);
    ssize_t got = pid > 0 ? read(told[0], &reason, sizeof reason) : 0;
    close(told[0]);
    if (pid > 0 && got <= 0)
        return pid;
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return -kp_error_set(error, "cannot run %.200s: %s", launcher->command[0],
                         strerror(pid > 0 ? reason : errno));
}

/* The kernel's maximum of a child begins with what kprof-ab had when it forked, and only above that
 * tells something of the program. */
static void add_usage(struct kp_ab_watch *watch, const struct rusage *usage)
{
    watch->cpu_s += (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6 +
                    (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6;
    watch->minor_faults += (double)usage->ru_minflt;
    double max_rss = (double)usage->ru_maxrss * 1024;
    if (usage->ru_maxrss > watch->own_max_rss + MARGIN_KIB && max_rss > watch->max_rss)
        watch->max_rss = max_rss;
}

/* True when the program itself has ended. Orphans that end count with it. */
static bool reap(pid_t program, struct kp_ab_watch *watch)
{
    struct rusage usage;
    int status;
    bool ended = false;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        add_usage(watch, &usage);
        if (pid == program) {
            watch->status = status;
            watch->ended_ns = now_ns();
            ended = true;
        }
    }
    return ended;
}

static void thin_samples(struct kp_ab_watch *watch)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->count; i += 2)
        watch->samples[kept++] = watch->samples[i];
    watch->count = kept;
    watch->sample_every_ns *= 2;
}

static void take_sample(struct kp_ab_launcher *launcher, struct kp_ab_watch *watch)
{
    uint64_t now = now_ns();
    if (kp_ab_tree_is_due(&launcher->tree, now))
        kp_ab_tree_look(&launcher->tree, now);
    double rss = kp_ab_tree_rss(&launcher->tree), largest = kp_ab_tree_largest(&launcher->tree);
    watch->max_rss = largest > watch->max_rss ? largest : watch->max_rss;
    kp_ab_ring_drain(launcher->ring);
    if (launcher->tick)
        launcher->tick(launcher->tick_context);
    if (rss <= 0)
        return;
    if (watch->count >= SAMPLES_MAX)
        thin_samples(watch);
    watch->samples =
        kp_array_grow(watch->samples, &watch->capacity, watch->count + 1, sizeof *watch->samples);
    watch->samples[watch->count++] =
        (struct kp_ab_sample){(double)(now - watch->started_ns) / 1e9, rss};
}

/* Until the program has ended; true: it has, false: it should be ended. */
static bool watch_it(struct kp_ab_launcher *launcher, pid_t program, struct kp_ab_watch *watch)
{
    for (;;) {
        struct timespec pause = {0, (long)watch->sample_every_ns};
        if (watch->count < FIRST_SAMPLES) /* programs that are over soon are seen too */
            pause.tv_nsec /= 10;
        if (pause.tv_nsec > 100000000)
            pause.tv_nsec = 100000000;
        int number = sigtimedwait(&awaited, NULL, &pause);
        if (number == SIGCHLD && reap(program, watch))
            return true;
        if (number == SIGINT || number == SIGTERM || number == SIGHUP)
            watch->interrupted = true;
        else if (number < 0)
            take_sample(launcher, watch);
        if (launcher->timeout_s > 0 &&
            (double)(now_ns() - watch->started_ns) / 1e9 > launcher->timeout_s)
            watch->timed_out = true;
        if (watch->interrupted || watch->timed_out)
            return false;
    }
}

/* Waits until none is left, at most for a while. */
static bool wait_for_none(struct kp_ab_launcher *launcher, pid_t program, struct kp_ab_watch *watch,
                          uint64_t patience_ns)
{
    uint64_t began = now_ns();
    for (;;) {
        reap(program, watch);
        kp_ab_tree_look(&launcher->tree, now_ns());
        if (launcher->tree.count == 0 || now_ns() - began > patience_ns)
            return launcher->tree.count == 0;
        usleep(2000);
    }
}

/* Ends what is left of the program, first by waiting, then politely. Returns how many had to be
 * told. */
static int end_all(struct kp_ab_launcher *launcher, pid_t program, struct kp_ab_watch *watch)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    bool is_over = WIFEXITED(watch->status) && watch->ended_ns;
    int told = 0;
    if (wait_for_none(launcher, program, watch, is_over ? WAIT_NS : 0))
        return 0;
    for (size_t k = 0; k < 2; k++) {
        told = (int)launcher->tree.count > told ? (int)launcher->tree.count : told;
        for (size_t i = 0; i < launcher->tree.count; i++)
            kill(launcher->tree.pids[i], signals[k]);
        if (wait_for_none(launcher, program, watch, GRACE_NS))
            break;
    }
    return told;
}

static void read_last_line(int errors, char *out, size_t out_bytes)
{
    char text[1024];
    off_t end = lseek(errors, 0, SEEK_END);
    off_t from = end > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : 0;
    ssize_t got = pread(errors, text, sizeof text - 1, from);
    text[got > 0 ? got : 0] = '\0';
    size_t length = strlen(text);
    while (length > 0 && (unsigned char)text[length - 1] <= ' ')
        text[--length] = '\0';
    const char *line = strrchr(text, '\n');
    snprintf(out, out_bytes, "%.*s", (int)out_bytes - 1, line ? line + 1 : text);
}

int kp_ab_launch(struct kp_ab_launcher *launcher, char **environment, struct kp_ab_watch *watch,
                 struct kp_error *error)
{
    char path[512];
    kp_ab_temporary(path, sizeof path, "/tmp");
    int errors = mkostemp(path, O_CLOEXEC);
    if (errors < 0)
        return -kp_error_set(error, "cannot write to TMPDIR or /tmp: %s", strerror(errno));
    unlink(path);
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    *watch = (struct kp_ab_watch){.sample_every_ns = SAMPLE_EVERY_NS,
                                  .own_max_rss = own.ru_maxrss};
    kp_ab_tree_reset(&launcher->tree);
    watch->started_ns = now_ns();
    pid_t program = start(launcher, environment, errors, error);
    if (program > 0) {
        if (!watch_it(launcher, program, watch))
            end_all(launcher, program, watch);
        else
            watch->left_over = end_all(launcher, program, watch);
        watch->ended_ns = watch->ended_ns ? watch->ended_ns : now_ns();
        kp_ab_ring_drain(launcher->ring);
        read_last_line(errors, watch->said, sizeof watch->said);
    }
    close(errors);
    return program > 0 ? 0 : -1;
}

void kp_ab_launch_rest(void)
{
    uint64_t began = now_ns();
    for (pid_t pid = 0; pid >= 0 && now_ns() - began < REST_NS; usleep(1000))
        pid = waitpid(-1, NULL, WNOHANG);
}

void kp_ab_watch_release(struct kp_ab_watch *watch)
{
    free(watch->samples);
    watch->samples = NULL;
}
