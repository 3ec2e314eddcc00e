/* SPDX-License-Identifier: MIT */
/*
 * Where libkprof.so and the allocators are. The loader's cache is read rather than the library
 * opened: an allocator that is loaded late may find no room for its thread-local storage, and would
 * run its constructors here for nothing. One thread.
 */
#include "run.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOADER_CACHE "/etc/ld.so.cache"
#define CACHE_MAGIC "glibc-ld.so.cache1.1"
#define CACHE_X86_64 0x0303

struct cache_header {
    char magic[20];
    uint32_t entries, strings_bytes;
    uint32_t unused[5];
};
struct cache_entry {
    int32_t flags;
    uint32_t name, path; /* offsets from the header */
    uint32_t unused[3];
};

static const struct {
    const char *name, *package;
    const char *libraries[3]; /* without what comes behind .so, most wanted first */
} allocators[] = {
    {"mimalloc", "libmimalloc2.0", {"libmimalloc.so"}},
    {"jemalloc", "libjemalloc2", {"libjemalloc.so"}},
    {"tcmalloc", "libtcmalloc-minimal4", {"libtcmalloc_minimal.so", "libtcmalloc.so"}},
};

bool kp_run_can_preload(const char *path)
{
    return strpbrk(path, " :\t\n") == NULL;
}

static int checked(const char *path, struct kp_error *error)
{
    if (kp_run_can_preload(path))
        return 0;
    return -kp_error_set(error,
                         "%.400s: LD_PRELOAD cannot hold a path with a space or a colon; move it",
                         path);
}

int kp_run_find_library(char path[KP_PATH_BYTES], struct kp_error *error)
{
    static const char *const places[] = {"%.*s/libkprof.so", "%.*s/../lib/libkprof.so",
                                         KP_LIBDIR "/libkprof.so"};
    char self[KP_PATH_BYTES], resolved[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    int directory = slash ? (int)(slash - self) : 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (i < 2)
            snprintf(path, KP_PATH_BYTES, places[i], directory > KP_PATH_BYTES - 32 ? 0 : directory,
                     self);
        else
            snprintf(path, KP_PATH_BYTES, "%s", places[i]);
        if (realpath(path, resolved)) {
            snprintf(path, KP_PATH_BYTES, "%s", resolved);
            return checked(path, error);
        }
    }
    return -kp_error_set(
        error,
        "cannot find libkprof.so beside kprof-run, in ../lib or in %s; run make, or make install",
        KP_LIBDIR);
}

/* "libx.so" names "libx.so" and "libx.so.2", not "libx.sox". */
static bool names_library(const char *file, const char *library)
{
    size_t length = strlen(library);
    return strncmp(file, library, length) == 0 && (file[length] == '\0' || file[length] == '.');
}

static bool scan_cache(const char *cache, size_t bytes, const char *library,
                       char path[KP_PATH_BYTES])
{
    const struct cache_header *header = (const void *)cache;
    if (bytes < sizeof *header || memcmp(header->magic, CACHE_MAGIC, sizeof header->magic) != 0 ||
        header->entries > (bytes - sizeof *header) / sizeof(struct cache_entry) ||
        cache[bytes - 1] != '\0')
        return false;
    const struct cache_entry *entries = (const void *)(cache + sizeof *header);
    for (uint32_t i = 0; i < header->entries; i++) {
        const struct cache_entry *e = &entries[i];
        if (e->flags != CACHE_X86_64 || e->name >= bytes || e->path >= bytes ||
            !names_library(cache + e->name, library))
            continue;
        snprintf(path, KP_PATH_BYTES, "%s", cache + e->path);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

static bool find_in_cache(const char *library, char path[KP_PATH_BYTES])
{
    struct stat st;
    bool found = false;
    int fd = open(LOADER_CACHE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        char *cache = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (cache != MAP_FAILED) {
            found = scan_cache(cache, (size_t)st.st_size, library, path);
            munmap(cache, (size_t)st.st_size);
        }
    }
    close(fd);
    return found;
}

static bool find_in_directory(const char *directory, int length, const char *library,
                              char path[KP_PATH_BYTES])
{
    char pattern[KP_PATH_BYTES];
    glob_t files;
    bool found = false;
    snprintf(pattern, sizeof pattern, "%.*s/%s*", length, directory, library);
    if (glob(pattern, 0, NULL, &files) != 0)
        return false;
    for (size_t i = 0; i < files.gl_pathc && !found; i++) {
        found = names_library(strrchr(files.gl_pathv[i], '/') + 1, library);
        snprintf(path, KP_PATH_BYTES, "%s", files.gl_pathv[i]);
    }
    globfree(&files);
    return found;
}

/* As the loader would look: LD_LIBRARY_PATH, the cache, the usual places. */
static bool find_installed(const char *library, char path[KP_PATH_BYTES])
{
    static const char *const usual[] = {"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64",
                                        "/usr/lib", NULL};
    const char *list = getenv("LD_LIBRARY_PATH");
    for (const char *at = list; at && *at;) {
        size_t length = strcspn(at, ":;");
        if (length > 0 && length < 2048 && find_in_directory(at, (int)length, library, path))
            return true;
        at += length + (at[length] != '\0');
    }
    if (find_in_cache(library, path))
        return true;
    for (int i = 0; usual[i]; i++)
        if (find_in_directory(usual[i], (int)strlen(usual[i]), library, path))
            return true;
    return false;
}

static int find_file(const char *name, char path[KP_PATH_BYTES], struct kp_error *error)
{
    char resolved[PATH_MAX];
    struct stat st;
    if (!realpath(name, resolved) || stat(resolved, &st) != 0 || !S_ISREG(st.st_mode))
        return -kp_error_set(error, "--allocator: no such library: %.300s", name);
    snprintf(path, KP_PATH_BYTES, "%s", resolved);
    return checked(path, error);
}

int kp_run_find_allocator(const char *name, char path[KP_PATH_BYTES], bool *usage,
                          struct kp_error *error)
{
    *usage = false;
    *path = '\0';
    if (strcmp(name, "glibc") == 0)
        return 0;
    if (strchr(name, '/'))
        return find_file(name, path, error);
    for (size_t i = 0; i < sizeof allocators / sizeof *allocators; i++) {
        if (strcmp(name, allocators[i].name) != 0)
            continue;
        for (const char *const *library = allocators[i].libraries; *library; library++)
            if (find_installed(*library, path))
                return find_file(path, path, error); /* the file itself: its name has the version */
        return -kp_error_set(error, "%s is not installed here; on Debian: apt install %s", name,
                             allocators[i].package);
    }
    *usage = true;
    return -kp_error_set(
        error, "--allocator: '%.100s' is not glibc, mimalloc, jemalloc, tcmalloc or a path", name);
}
