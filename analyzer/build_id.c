/* SPDX-License-Identifier: MIT */
/*
 * Reading a file's build-id from its notes, found through sections or, in a file without them,
 * through program headers. The path comes from a recording and may be anything by now: a FIFO, a
 * directory, a device. Runs in the collector and the reports, on one thread.
 */
#include "build_id.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int kp_open_regular(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    return -1;
}

void kp_build_id_of_elf(Elf *elf, char hex[KP_BUILD_ID_HEX])
{
    const void *bits = NULL;
    ssize_t bytes = dwelf_elf_gnu_build_id(elf, &bits);
    hex[0] = '\0';
    for (ssize_t i = 0; i < bytes && 2 * i + 2 < KP_BUILD_ID_HEX; i++)
        sprintf(hex + 2 * i, "%02x", ((const unsigned char *)bits)[i]);
}

int kp_build_id_of_file(const char *path, char hex[KP_BUILD_ID_HEX])
{
    int fd = kp_open_regular(path), result = -1;
    hex[0] = '\0';
    if (fd < 0)
        return -1;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        kp_build_id_of_elf(elf, hex);
        result = 0;
    }
    elf_end(elf);
    close(fd);
    return result;
}
