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
#define BLOCK_BYTES 1024u
#define FILE_BYTES_MAX (64u << 20)

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

static size_t block_bytes(const struct kp_fuzz_bytes *file, size_t at)
{
    return file->size - at < BLOCK_BYTES ? file->size - at : BLOCK_BYTES;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Writes the file's blocks, each behind a byte that is 0 for one without any content. */
static uint8_t *pack_file(const struct kp_fuzz_bytes *file, uint8_t *to)
{
    for (size_t at = 0; at < file->size; at += BLOCK_BYTES) {
        size_t bytes = block_bytes(file, at);
        *to = !is_zero(file->at + at, bytes);
        if (*to++) {
            memcpy(to, file->at + at, bytes);
            to += bytes;
        }
    }
    return to;
}

void kp_fuzz_case_pack(const struct kp_fuzz_case *one, struct kp_fuzz_bytes *packed)
{
    struct packed_header header;
    size_t most = sizeof header;
    memcpy(header.magic, packed_magic, sizeof header.magic);
    for (int i = 0; i < KP_FUZZ_FILES; i++) {
        header.sizes[i] = one->files[i].at ? one->files[i].size : ABSENT;
        most += one->files[i].size + one->files[i].size / BLOCK_BYTES + 1;
    }
    kp_fuzz_bytes_free(packed);
    kp_fuzz_bytes_resize(packed, most);
    memcpy(packed->at, &header, sizeof header);
    uint8_t *to = packed->at + sizeof header;
    for (int i = 0; i < KP_FUZZ_FILES; i++)
        to = pack_file(&one->files[i], to);
    packed->size = (size_t)(to - packed->at);
}

/* NULL: there is less than the file's size says. */
static const uint8_t *unpack_file(struct kp_fuzz_bytes *file, const uint8_t *from,
                                  const uint8_t *end)
{
    for (size_t at = 0; at < file->size; at += BLOCK_BYTES) {
        size_t bytes = block_bytes(file, at);
        if (from == end || (*from && (size_t)(end - from) <= bytes))
            return NULL;
        if (*from++) {
            memcpy(file->at + at, from, bytes);
            from += bytes;
        }
    }
    return from;
}

bool kp_fuzz_case_unpack(struct kp_fuzz_case *one, const uint8_t *packed, size_t size)
{
    struct packed_header header;
    const uint8_t *from = packed + sizeof header, *end = packed + size;
    if (size < sizeof header || memcmp(packed, packed_magic, sizeof packed_magic) != 0)
        return false;
    memcpy(&header, packed, sizeof header);
    for (int i = 0; i < KP_FUZZ_FILES && from; i++) {
        kp_fuzz_bytes_free(&one->files[i]);
        if (header.sizes[i] == ABSENT)
            continue;
        if (header.sizes[i] > FILE_BYTES_MAX)
            return false;
        kp_fuzz_bytes_resize(&one->files[i], header.sizes[i]);
        from = unpack_file(&one->files[i], from, end);
    }
    return from != NULL;
}
