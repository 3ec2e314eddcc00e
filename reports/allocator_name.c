/* SPDX-License-Identifier: MIT */
/*
 * The allocator as people call it, from the path of the object that serves malloc. The version of
 * glibc stands in no file name any more: it is read from the file's own banner, if the file has the
 * build-id that was recorded. Any thread.
 */
#include "build_id.h"
#include "report.h"
#include "where.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *begins, *name;
    bool version_follows; /* "libmimalloc.so.2.0": what comes behind .so. is the version */
} allocators[] = {
    {"libc.so", "glibc", false},        {"libc-", "glibc", false},
    {"libmimalloc", "mimalloc", true},  {"libjemalloc", "jemalloc", false},
    {"libtcmalloc", "tcmalloc", false}, {"ld-musl", "musl", false},
    {"libc.musl", "musl", false},       {"libsnmalloc", "snmalloc", false},
};

/* The digits and dots at text. */
static void copy_version(const char *text, char *out, size_t out_bytes)
{
    size_t used = 0;
    while (used + 1 < out_bytes &&
           (isdigit((unsigned char)text[used]) ||
            (text[used] == '.' && isdigit((unsigned char)text[used + 1])))) {
        out[used] = text[used];
        used++;
    }
    out[used] = '\0';
}

static void glibc_version(const char *path, char *out, size_t out_bytes)
{
    static const char banner[] = "GNU C Library", before[] = " version ";
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *out = '\0';
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < 64 << 20) {
        size_t bytes = (size_t)st.st_size;
        char *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map != MAP_FAILED) {
            char *at = memmem(map, bytes, banner, sizeof banner - 1);
            size_t left = at ? bytes - (size_t)(at - map) : 0;
            char line[160] = "";
            memcpy(line, at ? at : map, left < sizeof line ? left : sizeof line - 1);
            at = strstr(line, before);
            copy_version(at ? at + sizeof before - 1 : "", out, out_bytes);
            munmap(map, bytes);
        }
    }
    close(fd);
}

void kp_allocator_name(const char *path, const char *build_id, char *out, size_t out_bytes)
{
    const char *file = kp_base_name(path);
    char version[32] = "", today[KP_BUILD_ID_HEX] = "";
    for (size_t i = 0; i < sizeof allocators / sizeof *allocators; i++) {
        if (strncmp(file, allocators[i].begins, strlen(allocators[i].begins)) != 0)
            continue;
        const char *suffix = strstr(file, ".so.");
        if (allocators[i].version_follows && suffix)
            copy_version(suffix + 4, version, sizeof version);
        else if (strncmp(file, "libc-", 5) == 0)
            copy_version(file + 5, version, sizeof version);
        else if (strcmp(allocators[i].name, "glibc") == 0 && *build_id &&
                 kp_build_id_of_file(path, today) == 0 && strcmp(today, build_id) == 0)
            glibc_version(path, version, sizeof version);
        snprintf(out, out_bytes, "%s%s%s", allocators[i].name, *version ? " " : "", version);
        return;
    }
    snprintf(out, out_bytes, "%s", file);
}
