/* SPDX-License-Identifier: MIT */
/*
 * Starting the collector so that the host can't see it. A child made with no exit signal is
 * skipped by wait() and sends no SIGCHLD; it makes a grandchild, which becomes the collector, and
 * ends; we reap it by __WCLONE. Both share our memory while we are suspended (CLONE_VFORK), so
 * nothing is copied and they may only make system calls. All signals are blocked meanwhile: a
 * handler must not run in there. Process 1 of a container, and a subreaper, would inherit the
 * collector and wait for it for ever: there the first child stays as its parent, asleep.
 */
#include "launch.h"

#include "settings.h"
#include "state.h"
#include "sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STACK_BYTES 16384

struct plan {
    char program[1024];
    char *arguments[4];
    char *environment[1];
};
static struct plan plan;
static char stack_of_child[STACK_BYTES] __attribute__((aligned(16)));
static char stack_of_grandchild[STACK_BYTES] __attribute__((aligned(16)));

/* Directory of libkprof.so + tail, if there is a program. */
static bool try_beside(const char *library, const char *tail)
{
    const char *slash = strrchr(library, '/');
    size_t length = slash ? (size_t)(slash - library) : 0;

    if (!slash || length + strlen(tail) + 1 > sizeof plan.program)
        return false;
    memcpy(plan.program, library, length);
    memcpy(plan.program + length, tail, strlen(tail) + 1);
    return KP_SYS4(SYS_faccessat, AT_FDCWD, plan.program, 1 /* X_OK */, 0) == 0;
}

static bool find_program(void)
{
    static const char installed[] = KP_LIBEXECDIR "/kprof-collect";
    char library[1024];
    Dl_info self;

    if (dladdr(&plan, &self) && self.dli_fname) {
        /* A path with links in it: the program stands beside the real file. */
        long fd = KP_SYS4(SYS_openat, AT_FDCWD, self.dli_fname, O_PATH | O_CLOEXEC, 0);
        char link[32] = "/proc/self/fd/";
        long length = -1;

        if (fd >= 0 && fd < 100) {
            link[14] = (char)('0' + fd / 10);
            link[15] = (char)('0' + fd % 10);
            if (fd < 10)
                memmove(link + 14, link + 15, 2);
            length = kp_sys_read_link(link, library, sizeof library);
        }
        if (fd >= 0)
            KP_SYS1(SYS_close, fd);
        const char *path = length > 0 ? library : self.dli_fname;
        if (try_beside(path, "/kprof-collect") ||
            try_beside(path, "/../libexec/kprof/kprof-collect"))
            return true;
    }
    memcpy(plan.program, installed, sizeof installed);
    return KP_SYS4(SYS_faccessat, AT_FDCWD, plan.program, 1, 0) == 0;
}

static int become_collector(void *unused)
{
    (void)unused;
    KP_SYS0(SYS_setsid);
    KP_SYS3(SYS_execve, plan.program, plan.arguments, plan.environment);
    KP_SYS1(SYS_exit_group, 127);
    return 127;
}

/* `stays`: until the collector has ended, so that it is not inherited by the host. */
static int go_between(void *stays)
{
    int collector = clone(become_collector, stack_of_grandchild + STACK_BYTES,
                          CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

    while (stays && collector > 0 && KP_SYS4(SYS_wait4, collector, 0, 0, 0) == -EINTR) {
    }
    KP_SYS1(SYS_exit_group, 0);
    return 0;
}

/* Would the host become the parent of a collector whose parent has ended? */
static bool inherits_orphans(void)
{
    int is_subreaper = 0;

    KP_SYS2(SYS_prctl, PR_GET_CHILD_SUBREAPER, &is_subreaper);
    return is_subreaper || kp_sys_getpid() == 1;
}

void kp_launch_collector(void)
{
    uint64_t all = ~0ull, before;
    bool stays = inherits_orphans();
    int child;

    if (!find_program()) {
        kp_say("kprof-collect was not found beside the library; kprof-report will do its work", "",
               "", "");
        return;
    }
    plan.arguments[0] = plan.program;
    plan.arguments[1] = (char *)"--spool";
    plan.arguments[2] = kp_host.spool_path;
    KP_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
    child = clone(go_between, stack_of_child + STACK_BYTES, CLONE_VM | (stays ? 0 : CLONE_VFORK),
                  stays ? &plan : NULL);
    if (child > 0 && !stays)
        KP_SYS4(SYS_wait4, child, 0, __WCLONE, 0);
    kp_host.collector_launched = child > 0;
    KP_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, 8);
}
