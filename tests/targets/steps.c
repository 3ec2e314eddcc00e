/* SPDX-License-Identifier: MIT */
/*
 * Which instructions of a library does one malloc(64), and its free, execute? Starts itself with
 * LIBRARY preloaded, single-steps the child through the two calls and prints, in order, the file
 * offset of each instruction inside LIBRARY, and "elsewhere" once for each stay outside of it:
 *
 *   malloc 63b0
 *   malloc elsewhere
 *   free 63e0 ...
 *
 *   steps LIBRARY [WARM-UP PAIRS]      between two breakpoints of the child: a phase
 */
#include "target.h"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

static unsigned long start, end;

static int child(int pairs)
{
    void *volatile p;
    for (int i = 0; i < pairs; i++) {
        keep_pointer(malloc(1000)); /* stays, so that some samples are alive at most rates */
        free(keep_pointer(malloc(64)));
    }
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    __asm__ volatile("int3");
    p = malloc(64);
    __asm__ volatile("int3");
    free(p);
    __asm__ volatile("int3");
    return 0;
}

static void find_library(pid_t pid, const char *name)
{
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long low, high, offset;
        if (!strstr(line, name) || sscanf(line, "%lx-%lx %*s %lx", &low, &high, &offset) != 3)
            continue;
        if (offset == 0 && !start)
            start = low;
        end = high;
    }
    if (maps)
        fclose(maps);
}

/* Steps until the next breakpoint of the child. */
static int step_through(pid_t pid, const char *phase)
{
    struct user_regs_struct regs;
    int status, outside = 0;
    for (int steps = 0; steps < 100000; steps++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid ||
            !WIFSTOPPED(status))
            return 1;
        ptrace(PTRACE_GETREGS, pid, 0, &regs);
        long text = ptrace(PTRACE_PEEKTEXT, pid, regs.rip, 0);
        if ((text & 0xff) == 0xcc) {
            /* step over it: it is one byte, and its own signal is not passed on */
            regs.rip++;
            ptrace(PTRACE_SETREGS, pid, 0, &regs);
            return 0;
        }
        if (regs.rip >= start && regs.rip < end)
            say("%s %lx", phase, (unsigned long)regs.rip - start);
        else if (!outside)
            say("%s elsewhere", phase);
        outside = !(regs.rip >= start && regs.rip < end);
    }
    return 1;
}

int main(int argc, char **argv)
{
    int status;
    if (argc == 3 && !strcmp(argv[1], "child"))
        return child(atoi(argv[2]));
    if (argc < 2)
        return 2;
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", argv[1], 1);
        execl(argv[0], argv[0], "child", argc > 2 ? argv[2] : "1000", (char *)NULL);
        _exit(9);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        say("# the child did not stop: %x", status);
        return 1;
    }
    find_library(pid, strrchr(argv[1], '/') + 1);
    int failed = !start || step_through(pid, "malloc") || step_through(pid, "free");
    ptrace(PTRACE_CONT, pid, 0, 0);
    waitpid(pid, &status, 0);
    return failed || status != 0;
}
