/* SPDX-License-Identifier: MIT */
/*
 * See fuzz_case.h. What cannot be written ends the fuzzer: its findings would be wrong.
 */
#include "fuzz_case.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ABSENT UINT64_MAX

static const char *const tails[KP_FUZZ_FILES] = {"", "-wal", "-spool"};

struct packed_header {
    char magic[8];
    uint64_t sizes[KP_FUZZ_FILES];
};
static const char packed_magic[8] = "kpfuzz01";

void kp_fuzz_case_copy(struct kp_fuzz_case *to, const struct kp_fuzz_case *from)
{
    for (int i = 0; i < KP_FUZZ_FILES; i++)
        if (from->files[i].at)
            kp_fuzz_bytes_set(&to->files[i], from->files[i].at, from->files[i].size);
        else
            kp_fuzz_bytes_free(&to->files[i]);
}

void kp_fuzz_case_free(struct kp_fuzz_case *one)
{
    for (int i = 0; i < KP_FUZZ_FILES; i++)
        kp_fuzz_bytes_free(&one->files[i]);
}

bool kp_fuzz_read_file(const char *path, struct kp_fuzz_bytes *bytes)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool done = fstat(file, &status) == 0;
    if (done) {
        kp_fuzz_bytes_free(bytes);
        kp_fuzz_bytes_resize(bytes, (size_t)status.st_size);
        done = read(file, bytes->at, bytes->size) == (ssize_t)bytes->size;
    }
    close(file);
    return done;
}

void kp_fuzz_write_file(const char *path, const struct kp_fuzz_bytes *bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, bytes->at, bytes->size) != (ssize_t)bytes->size ||
        close(file) != 0) {
        fprintf(stderr, "fuzz: cannot write %s: %s\n", path, strerror(errno));
        exit(2);
    }
}

void kp_fuzz_case_read(struct kp_fuzz_case *one, const char *path)
{
    char name[4096];
    for (int i = 0; i < KP_FUZZ_FILES; i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        if (!kp_fuzz_read_file(name, &one->files[i]))
            kp_fuzz_bytes_free(&one->files[i]);
    }
}

void kp_fuzz_case_write(const struct kp_fuzz_case *one, const char *path)
{
    char name[4096];
    for (int i = 0; i < KP_FUZZ_FILES; i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        unlink(name);
        if (one->files[i].at)
            kp_fuzz_write_file(name, &one->files[i]);
    }
}

const char *kp_fuzz_case_differs(const struct kp_fuzz_case *one, const char *path)
{
    static const char *const verdicts[KP_FUZZ_FILES] = {
        "the database was changed", "the -wal was changed", "the spool was changed"};
    struct kp_fuzz_case now = {0};
    const char *verdict = NULL;
    kp_fuzz_case_read(&now, path);
    for (int i = 0; i < KP_FUZZ_FILES && !verdict; i++) {
        const struct kp_fuzz_bytes *a = &one->files[i], *b = &now.files[i];
        if (!a->at != !b->at || a->size != b->size ||
            (a->size && memcmp(a->at, b->at, a->size) != 0))
            verdict = verdicts[i];
    }
    kp_fuzz_case_free(&now);
    return verdict;
}

void kp_fuzz_case_pack(const struct kp_fuzz_case *one, struct kp_fuzz_bytes *packed)
{
    struct packed_header header;
    size_t size = sizeof header;
    memcpy(header.magic, packed_magic, sizeof header.magic);
    for (int i = 0; i < KP_FUZZ_FILES; i++) {
        header.sizes[i] = one->files[i].at ? one->files[i].size : ABSENT;
        size += one->files[i].at ? one->files[i].size : 0;
    }
    kp_fuzz_bytes_free(packed);
    kp_fuzz_bytes_resize(packed, size);
    uint8_t *to = packed->at;
    memcpy(to, &header, sizeof header);
    to += sizeof header;
    for (int i = 0; i < KP_FUZZ_FILES; i++) {
        if (one->files[i].size)
            memcpy(to, one->files[i].at, one->files[i].size);
        to += one->files[i].size;
    }
}

bool kp_fuzz_case_unpack(struct kp_fuzz_case *one, const uint8_t *packed, size_t size)
{
    struct packed_header header;
    if (size < sizeof header || memcmp(packed, packed_magic, sizeof packed_magic) != 0)
        return false;
    memcpy(&header, packed, sizeof header);
    packed += sizeof header;
    size -= sizeof header;
    for (int i = 0; i < KP_FUZZ_FILES; i++) {
        kp_fuzz_bytes_free(&one->files[i]);
        if (header.sizes[i] == ABSENT)
            continue;
        if (header.sizes[i] > size)
            return false;
        kp_fuzz_bytes_set(&one->files[i], packed, header.sizes[i]);
        packed += header.sizes[i];
        size -= header.sizes[i];
    }
    return true;
}
