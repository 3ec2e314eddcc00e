/* SPDX-License-Identifier: MIT */
/*
 * Names and marks of objects. Host's threads, while the loader's list is looked at.
 */
#include "got_skip.h"

#include "settings.h"

#include <string.h>

#define SEARCH_BYTES_MAX (32u << 20)

static bool is_name_end(char c)
{
    return c == '/' || c == '.' || c == 0;
}

/* Is one of the path's parts, up to its first dot, this name? */
static bool path_has(const char *path, const char *name, size_t bytes)
{
    for (const char *at = path; *at; at++)
        if ((at == path || at[-1] == '/') && strncmp(at, name, bytes) == 0 &&
            is_name_end(at[bytes]))
            return true;
    return false;
}

static bool is_named(const char *path)
{
    const char *list = kp_settings.conversions_skip;

    while (list && *list) {
        size_t bytes = strcspn(list, ",");

        if (bytes && path_has(path, list, bytes))
            return true;
        list += bytes + (list[bytes] == ',');
    }
    return false;
}

bool kp_got_skips(const char *path)
{
    return strstr(path, "/lib-dynload/") || strncmp(path, "linux-vdso", 10) == 0 || is_named(path);
}

bool kp_got_compares_functions(const struct dl_phdr_info *info)
{
    static const char mark[] = "cython_runtime"; /* a module that each of them makes */

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        size_t bytes = part->p_filesz < SEARCH_BYTES_MAX ? part->p_filesz : SEARCH_BYTES_MAX;

        if (part->p_type == PT_LOAD && (part->p_flags & PF_R) && !(part->p_flags & PF_X) &&
            memmem((const void *)(info->dlpi_addr + part->p_vaddr), bytes, mark, sizeof mark - 1))
            return true;
    }
    return false;
}
