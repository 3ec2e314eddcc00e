/* SPDX-License-Identifier: MIT */
/*
 * Runs a program under a seccomp filter that forbids exec from then on. The one exec of the
 * launcher itself is told by the address of its path argument.
 *
 *   seccomp_launch eperm|kill LIBRARY PROGRAM [ARGS]      LIBRARY: for LD_PRELOAD, "" for none
 */
#include "target.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int install(const char *path, uint32_t forbidden)
{
    uint32_t low = (uint32_t)(uintptr_t)path, high = (uint32_t)((uintptr_t)path >> 32);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 5, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, forbidden),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *path = strdup(argv[3]);
    if (argv[2][0])
        setenv("LD_PRELOAD", argv[2], 1);
    uint32_t forbidden = !strcmp(argv[1], "kill") ? SECCOMP_RET_KILL_PROCESS
                                                   : SECCOMP_RET_ERRNO | EPERM;
    if (install(path, forbidden) != 0) {
        say("skip - seccomp: no filter can be set here");
        return 77;
    }
    execv(path, argv + 3);
    return 1;
}
