/* SPDX-License-Identifier: MIT */
/*
 * Finds separate debug files as gdb and elfutils do. Not libdwfl's own search, because that opens
 * without O_NONBLOCK (a FIFO would stop us) and asks debuginfod servers where the environment names
 * them: a report must not reach into the network. Runs in the collector and the reports, on one
 * thread.
 */
#include "symbols_debug_file.h"

#include "build_id.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int kp_debug_file_by_build_id(const char *directory, const char *build_id_hex, char **path)
{
    char found[KP_BUILD_ID_HEX];
    if (strlen(build_id_hex) < 4 || strspn(build_id_hex, "0123456789abcdef") < strlen(build_id_hex))
        return -1;
    if (asprintf(path, "%s/.build-id/%.2s/%s.debug", directory, build_id_hex, build_id_hex + 2) < 0)
        return -1;
    if (kp_build_id_of_file(*path, found) == 0 && strcmp(found, build_id_hex) == 0) {
        int fd = kp_open_regular(*path);
        if (fd >= 0)
            return fd;
    }
    free(*path);
    *path = NULL;
    return -1;
}

/* The CRC of zlib and of .gnu_debuglink. */
static uint32_t crc_of(int fd)
{
    static uint32_t table[256];
    unsigned char buffer[65536];
    uint32_t crc = 0xffffffff;
    for (uint32_t i = 0; !table[255] && i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320 : table[i] >> 1;
    }
    off_t offset = 0;
    ssize_t bytes;
    while ((bytes = pread(fd, buffer, sizeof buffer, offset)) > 0) {
        for (ssize_t i = 0; i < bytes; i++)
            crc = table[(crc ^ buffer[i]) & 0xff] ^ crc >> 8;
        offset += bytes;
    }
    return ~crc;
}

int kp_debug_file_by_link(const char *directory, const char *file, const char *link, uint32_t crc,
                          char **path)
{
    char folder[PATH_MAX];
    if (strchr(link, '/') || !realpath(file, folder))
        return -1;
    char *slash = strrchr(folder, '/');
    *slash = '\0';
    const char *const before[] = {"", "", directory}, *const after[] = {"", "/.debug", ""};
    for (int i = 0; i < 3; i++) {
        if (asprintf(path, "%s%s%s/%s", before[i], folder, after[i], link) < 0)
            break;
        int fd = kp_open_regular(*path);
        if (fd >= 0 && crc_of(fd) == crc)
            return fd;
        if (fd >= 0)
            close(fd);
        free(*path);
    }
    *path = NULL;
    return -1;
}
