/* SPDX-License-Identifier: MIT */
/*
 * Everything a program can see of its own process: tasks, children, descriptors, signal handlers,
 * mask, limits, directory, environment. It is printed when main begins, after heavy allocation
 * and at the end, so that a run with the library can be compared line by line with one without.
 *
 *   guest look                  look three times
 *   guest launch LIBRARY CMD..  block SIGCHLD, set LD_PRELOAD to LIBRARY ("" for none), exec CMD:
 *                               a SIGCHLD sent before main begins is then pending in there
 */
#include "target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void look_at_folder(const char *when, const char *what, const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char name[512], link[512];
        if (entry->d_name[0] == '.')
            continue;
        count++;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        ssize_t n = readlink(name, link, sizeof link - 1);
        if (n > 0 && atoi(entry->d_name) != dirfd(dir) && atoi(entry->d_name) > 2)
            say("%s: %s %s is %.*s", when, what, entry->d_name, (int)n, link);
    }
    if (dir)
        closedir(dir);
    say("%s: %d in %s", when, count, what);
}

static void look_for_children(const char *when)
{
    char text[256] = "";
    pid_t got = waitpid(-1, NULL, WNOHANG);
    say("%s: waitpid(-1) %d %s", when, (int)got, strerror(errno));
    got = waitpid(-1, NULL, WNOHANG | __WALL);
    say("%s: waitpid(-1, __WALL) %d %s", when, (int)got, strerror(errno));
    got = waitpid(-1, NULL, WNOHANG | __WCLONE);
    say("%s: waitpid(-1, __WCLONE) %d %s", when, (int)got, strerror(errno));
    snprintf(text, sizeof text, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
    if (fd >= 0)
        close(fd);
    say("%s: %zd bytes of children in /proc", when, n);
}

static void look_at_signals(const char *when)
{
    sigset_t mask, pending;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction action;
        if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            say("%s: signal %d has handler %p", when, sig, (void *)action.sa_handler);
        if (sigismember(&mask, sig) == 1)
            say("%s: signal %d is blocked", when, sig);
        if (sigismember(&pending, sig) == 1)
            say("%s: signal %d is pending", when, sig);
    }
    stack_t stack;
    sigaltstack(NULL, &stack);
    say("%s: alternate stack flags %d", when, stack.ss_flags);
}

static void look_at_settings(const char *when)
{
    char text[4096];
    for (int what = 0; what < RLIM_NLIMITS; what++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)what, &limit) == 0)
            say("%s: limit %d is %lld %lld", when, what, (long long)limit.rlim_cur,
                (long long)limit.rlim_max);
    }
    mode_t mask = umask(0);
    umask(mask);
    say("%s: umask %o, directory %s", when, mask, getcwd(text, sizeof text) ? text : "?");
    say("%s: session %s leader, priority %d", when, getsid(0) == getpid() ? "is" : "is not",
        getpriority(PRIO_PROCESS, 0));
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, "LD_PRELOAD=", 11) && strncmp(*entry, "KPROF_", 6) &&
            strncmp(*entry, "SHLVL=", 6) && strncmp(*entry, "_=", 2)) /* the shell's own */
            say("%s: environment %s", when, *entry);
}

static void look(const char *when)
{
    look_for_children(when);
    look_at_folder(when, "fd", "/proc/self/fd");
    look_at_folder(when, "task", "/proc/self/task");
    look_at_signals(when);
    look_at_settings(when);
}

static void allocate_a_lot(void)
{
    uint64_t random = 1;
    void *kept[256] = {0};
    for (int i = 0; i < 300000; i++) {
        uint32_t n = next_random(&random);
        free(kept[n % 256]);
        kept[n % 256] = keep_pointer(malloc(n % 700));
    }
    for (int i = 0; i < 256; i++)
        free(kept[i]);
}

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[1], "launch")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (argv[2][0])
            setenv("LD_PRELOAD", argv[2], 1);
        execv(argv[3], argv + 3);
        return 1;
    }
    look("start");
    allocate_a_lot();
    look("middle");
    allocate_a_lot();
    look("end");
    return 0;
}
