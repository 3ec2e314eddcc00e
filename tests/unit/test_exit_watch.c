/* SPDX-License-Identifier: MIT */
/*
 * The moment at which a process has gone, from outside: children that map a file and end are seen
 * between their last word and their parent's wait(), each is told once, and without a watch nothing
 * is.
 */
#include "exit_watch.h"
#include "unit_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 20

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct life {
    uint64_t ended_ns, reaped_ns;
};

/* In the child: maps the file as the shim does, says when it is through, and ends. */
static void live(const char *path)
{
    int file = open(path, O_RDWR);
    uint64_t *ended = mmap(NULL, sizeof *ended, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    close(file);
    if (ended != MAP_FAILED)
        *ended = now_ns();
    _exit(0);
}

static struct life run_child(const char *path, int file)
{
    struct life life = {0};
    pid_t child = fork();

    if (child == 0)
        live(path);
    waitpid(child, NULL, 0);
    life.reaped_ns = now_ns();
    if (pread(file, &life.ended_ns, sizeof life.ended_ns, 0) != sizeof life.ended_ns)
        life.ended_ns = 0;
    return life;
}

/* The thread that waits may come later than the parent. */
static uint64_t take(struct kp_exit_watch *watch, uint64_t after_ns)
{
    uint64_t gone_ns = 0;

    for (int tries = 0; !gone_ns && tries < 200; tries++) {
        gone_ns = kp_exit_watch_take(watch, after_ns);
        usleep(1000);
    }
    return gone_ns;
}

int main(void)
{
    static struct kp_exit_watch watch, idle;
    char path[] = "/tmp/kprof-exit.XXXXXX";
    int file = mkstemp(path), seen = 0;
    struct life life = {0};

    if (file < 0 || ftruncate(file, 4096) != 0)
        return 1;
    kp_exit_watch_start(&watch, path);
    kp_check(watch.runs, "the watch can be made", "inotify or the thread failed");
    for (int i = 0; i < CHILDREN; i++) {
        life = run_child(path, file);
        uint64_t gone_ns = take(&watch, life.ended_ns);
        /* A busy machine may wake the parent first. */
        seen += gone_ns >= life.ended_ns && gone_ns < life.reaped_ns + 10000000u;
    }
    kp_check(seen >= CHILDREN - 2, "ends are seen after the last word of a process", "%d of %d",
             seen, CHILDREN);
    kp_check(kp_exit_watch_take(&watch, life.ended_ns) == 0, "each end is told once", "again");
    life = run_child(path, file);
    usleep(50000);
    kp_check(kp_exit_watch_take(&watch, life.ended_ns - 30000000u) == 0,
             "an end long after the last word is not that process's", "it was taken");
    kp_exit_watch_stop(&watch);
    kp_check(kp_exit_watch_take(&watch, life.ended_ns) == 0, "a stopped watch knows nothing",
             "it does");
    kp_exit_watch_start(&idle, "/nowhere/at/all");
    kp_check(!idle.runs, "no file, no watch", "it runs");
    kp_exit_watch_stop(&idle);
    unlink(path);
    return kp_checks_failed();
}
