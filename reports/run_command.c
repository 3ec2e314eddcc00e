/* SPDX-License-Identifier: MIT */
/*
 * Looks at the program that a command will run, through scripts to their interpreter, to say before
 * the run when nothing can be recorded: a program that is linked statically or set-uid never loads
 * libkprof.so, and the user would be left with no database and no reason. One thread.
 */
#include "run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPTS_MAX 4 /* the kernel's own limit of nested interpreters */
#define PROGRAM_HEADERS_MAX 128

/* 0 when path can be executed, else the exit status that a shell would have. */
static int try_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == EACCES ? 126 : 127;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : 126;
}

/* As execvp would: PATH, unless there is a slash. */
static int search(const char *command, char path[KP_PATH_BYTES])
{
    const char *list = getenv("PATH");
    int status = 127;
    if (strchr(command, '/') || !*command) {
        snprintf(path, KP_PATH_BYTES, "%s", command);
        return *command ? try_path(command) : 127;
    }
    for (const char *at = list ? list : "/usr/bin:/bin";; at++) {
        size_t length = strcspn(at, ":");
        char candidate[KP_PATH_BYTES];
        snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)(length < 3000 ? length : 0), at,
                 length ? "/" : "", command);
        int found = try_path(candidate);
        if (found == 0 || (found == 126 && status == 127))
            snprintf(path, KP_PATH_BYTES, "%s", candidate);
        if (found == 0)
            return 0;
        status = found == 126 ? 126 : status;
        at += length;
        if (!*at)
            return status;
    }
}

static const char *look_at_elf(int fd, const unsigned char *start, bool *leave_alone)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[PROGRAM_HEADERS_MAX];
    char interpreter[256] = "";
    memcpy(&header, start, sizeof header);
    if (start[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
        *leave_alone = true;
        return "is not a 64-bit x86 program";
    }
    size_t count = header.e_phnum < PROGRAM_HEADERS_MAX ? header.e_phnum : PROGRAM_HEADERS_MAX;
    ssize_t got = pread(fd, segments, count * sizeof *segments, (off_t)header.e_phoff);
    count = got > 0 ? (size_t)got / sizeof *segments : 0;
    for (size_t i = 0; i < count; i++) {
        if (segments[i].p_type != PT_INTERP)
            continue;
        got = pread(fd, interpreter, sizeof interpreter - 1, (off_t)segments[i].p_offset);
        if (!strstr(got > 0 ? interpreter : "", "musl"))
            return NULL;
        *leave_alone = true;
        return "uses musl, and libkprof.so needs glibc";
    }
    return count > 0 ? "is statically linked" : NULL;
}

/* The interpreter of a script into path: what stands behind #!, through env to what that finds. */
static bool interpreter_of(const char *start, char path[KP_PATH_BYTES])
{
    char line[256], *rest = NULL;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(start, "\n"), start);
    char *program = strtok_r(line + 2, " \t", &rest);
    char *argument = program ? strtok_r(NULL, " \t", &rest) : NULL;
    if (!program)
        return false;
    const char *name = strrchr(program, '/');
    if (strcmp(name ? name + 1 : program, "env") == 0 && argument) {
        if (strcmp(argument, "-S") == 0)
            argument = strtok_r(NULL, " \t", &rest);
        return argument && search(argument, path) == 0;
    }
    snprintf(path, KP_PATH_BYTES, "%s", program);
    return true;
}

static bool gains_privileges(int fd, const struct stat *st)
{
    if ((st->st_mode & S_ISUID && st->st_uid != geteuid()) ||
        (st->st_mode & S_ISGID && st->st_gid != getegid()))
        return true;
    return geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* True when it was a script, and path is its interpreter now. */
static bool look_at_file(char path[KP_PATH_BYTES], struct kp_run_command *found)
{
    union {
        char text[257]; /* ends with a NUL */
        unsigned char bytes[256];
    } start = {""};
    struct stat st;
    bool script = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = pread(fd, start.bytes, sizeof start.bytes, 0);
    if (got >= 2 && start.text[0] == '#' && start.text[1] == '!')
        script = interpreter_of(start.text, path);
    else if (fstat(fd, &st) == 0 && gains_privileges(fd, &st))
        found->hindrance =
            "runs with other privileges (set-uid), and the loader ignores LD_PRELOAD then";
    else if (got >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(start.bytes, ELFMAG, SELFMAG) == 0)
        found->hindrance = look_at_elf(fd, start.bytes, &found->leave_alone);
    close(fd);
    return script;
}

void kp_run_look_at(const char *command, struct kp_run_command *found)
{
    char path[KP_PATH_BYTES];
    *found = (struct kp_run_command){.hindrance = NULL};
    found->exec_status = search(command, found->path);
    if (found->exec_status != 0)
        return;
    snprintf(path, sizeof path, "%s", found->path);
    for (int i = 0; i < SCRIPTS_MAX && look_at_file(path, found); i++)
        continue;
}
