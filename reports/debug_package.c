/* SPDX-License-Identifier: MIT */
/*
 * Looks the file up in dpkg's lists of files, which are plain text, rather than running dpkg: a
 * report starts no programs. A few hundred small files; only done for a file below /usr or /lib.
 * Debian names the package of debug symbols after the binary package, but for glibc. Any thread.
 */
#include "debug_package.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTS "/var/lib/dpkg/info"

/* The list has the path, with or without the /usr that a merged system puts before it. */
static bool list_has(const char *list, const char *path)
{
    FILE *file = fopen(list, "re");
    char *line = NULL;
    size_t line_bytes = 0;
    ssize_t length;
    bool found = false;
    const char *merged = strncmp(path, "/usr/", 5) == 0 ? path + 4 : path;
    while (file && !found && (length = getline(&line, &line_bytes, file)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        found = strcmp(line, path) == 0 || strcmp(line, merged) == 0;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static void name_package(const char *list, char *out, size_t out_bytes)
{
    size_t length = strcspn(list, ":");
    if (length == strlen(list))
        length -= strlen(".list");
    if (length == 5 && strncmp(list, "libc6", 5) == 0)
        snprintf(out, out_bytes, "libc6-dbg");
    else
        snprintf(out, out_bytes, "%.*s-dbgsym", (int)length, list);
}

void kp_debug_package(const char *path, char *out, size_t out_bytes)
{
    *out = '\0';
    if (strncmp(path, "/usr/", 5) != 0 && strncmp(path, "/lib", 4) != 0)
        return;
    DIR *lists = opendir(LISTS);
    if (!lists)
        return;
    for (struct dirent *entry; !*out && (entry = readdir(lists));) {
        char list[512];
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".list") != 0)
            continue;
        snprintf(list, sizeof list, LISTS "/%.300s", entry->d_name);
        if (list_has(list, path))
            name_package(entry->d_name, out, out_bytes);
    }
    closedir(lists);
}
