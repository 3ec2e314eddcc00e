/* SPDX-License-Identifier: MIT */
/*
 * Access to the spool file, see spool_reader.h. The whole file is mapped for the header, the
 * directory and the live words of chunks that are known to exist; everything else is copied.
 */
#include "spool_reader.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

static int refuse(struct kp_spool *spool, struct kp_error *error, const char *why)
{
    kp_error_set(error, "cannot read the spool %s: %s", spool->path, why);
    kp_spool_close(spool);
    return 1;
}

static int map_file(struct kp_spool *spool, struct kp_error *error)
{
    struct stat status;
    int protection = spool->writable ? PROT_READ | PROT_WRITE : PROT_READ;

    if (fstat(spool->file, &status))
        return refuse(spool, error, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(spool, error, "it is not a regular file");
    if (pread(spool->file, &spool->opened, sizeof spool->opened, 0) != sizeof spool->opened)
        return refuse(spool, error, "it is shorter than a header");
    const char *wrong = kp_decode_header(&spool->opened, (uint64_t)status.st_size);
    if (wrong)
        return refuse(spool, error, wrong);
    spool->map_bytes = kp_decode_file_bytes(&spool->opened, spool->opened.chunk_count);
    spool->map = mmap(NULL, spool->map_bytes, protection, MAP_SHARED, spool->file, 0);
    if (spool->map == MAP_FAILED) {
        spool->map = NULL;
        return refuse(spool, error, strerror(errno));
    }
    spool->header = (struct kp_spool_header *)spool->map;
    return 0;
}

int kp_spool_open(struct kp_spool *spool, const char *path, bool writable, struct kp_error *error)
{
    memset(spool, 0, sizeof *spool);
    snprintf(spool->path, sizeof spool->path, "%s", path);
    spool->writable = writable;
    spool->file = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (spool->file < 0)
        return refuse(spool, error, strerror(errno));
    return map_file(spool, error);
}

void kp_spool_close(struct kp_spool *spool)
{
    if (spool->map)
        munmap(spool->map, spool->map_bytes);
    if (spool->file >= 0)
        close(spool->file);
    spool->map = NULL;
    spool->file = -1;
}

enum kp_spool_lock kp_spool_lock(struct kp_spool *spool, unsigned patience_ms)
{
    struct timespec nap = {0, 10000000};
    struct stat ours, present;

    for (unsigned ms = 0; flock(spool->file, LOCK_EX | LOCK_NB); ms += 10) {
        if (ms >= patience_ms)
            return KP_SPOOL_LOCK_BUSY;
        nanosleep(&nap, NULL);
    }
    if (fstat(spool->file, &ours) || stat(spool->path, &present) || ours.st_ino != present.st_ino ||
        ours.st_dev != present.st_dev)
        return KP_SPOOL_LOCK_GONE;
    return KP_SPOOL_LOCK_HELD;
}

int kp_spool_check_size(struct kp_spool *spool, struct kp_error *error)
{
    struct stat status;

    if (fstat(spool->file, &status) || (uint64_t)status.st_size < spool->map_bytes)
        return kp_error_set(error, "cannot read the spool %s: it is truncated", spool->path);
    return 0;
}

uint32_t kp_spool_chunk_end(const struct kp_spool *spool)
{
    uint32_t high = atomic_load(&spool->header->chunk_high);

    return high < spool->opened.chunk_count ? high : spool->opened.chunk_count;
}

static _Atomic uint64_t *directory(const struct kp_spool *spool)
{
    return (_Atomic uint64_t *)(void *)(spool->map + sizeof *spool->header);
}

static uint8_t *chunk_at(const struct kp_spool *spool, uint32_t index)
{
    return spool->map + kp_decode_chunk_offset(&spool->opened, index);
}

uint64_t kp_spool_word(const struct kp_spool *spool, uint32_t index)
{
    return atomic_load_explicit(&directory(spool)[index], memory_order_acquire);
}

bool kp_spool_chunk(const struct kp_spool *spool, uint32_t index, struct kp_chunk_header *copy)
{
    off_t offset = (off_t)kp_decode_chunk_offset(&spool->opened, index);
    uint32_t magic;

    /* The magic is written last: once it is seen, the second read has the rest. */
    return pread(spool->file, &magic, sizeof magic, offset) == sizeof magic &&
           magic == KP_CHUNK_MAGIC &&
           pread(spool->file, copy, sizeof *copy, offset) == sizeof *copy &&
           copy->magic == KP_CHUNK_MAGIC;
}

uint32_t kp_spool_used(const struct kp_spool *spool, uint32_t index)
{
    struct kp_chunk_header *chunk = (void *)chunk_at(spool, index);
    uint32_t used = atomic_load_explicit(&chunk->used, memory_order_acquire);
    uint32_t most = KP_CHUNK_BYTES - kp_decode_records_offset(chunk);

    return (used < most ? used : most) & ~7u;
}

void kp_spool_info(const struct kp_spool *spool, uint32_t index, struct kp_process_info *copy)
{
    const _Atomic uint64_t *from =
        (const void *)(chunk_at(spool, index) + sizeof(struct kp_chunk_header));
    uint64_t *to = (void *)copy;

    for (size_t i = 0; i < sizeof *copy / sizeof *to; i++)
        to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
}

int kp_spool_read(const struct kp_spool *spool, uint32_t index, uint32_t records_offset,
                  uint32_t from, uint32_t to, uint8_t *buffer, struct kp_error *error)
{
    uint64_t offset = kp_decode_chunk_offset(&spool->opened, index) + records_offset + from;
    ssize_t wanted = (ssize_t)to - (ssize_t)from;
    ssize_t got = pread(spool->file, buffer, (size_t)wanted, (off_t)offset);

    if (got == wanted)
        return 0;
    return kp_error_set(error, "cannot read the spool %s: %s", spool->path,
                        got < 0 ? strerror(errno) : "it is truncated");
}

void kp_spool_free_chunk(struct kp_spool *spool, uint32_t index)
{
    struct kp_chunk_header *chunk = (void *)chunk_at(spool, index);

    if (!spool->writable)
        return;
    __atomic_store_n(&chunk->magic, 0, __ATOMIC_RELEASE);
    atomic_store_explicit(&chunk->used, 0, memory_order_release);
    atomic_store_explicit(&directory(spool)[index], KP_CHUNK_WORD(KP_CHUNK_FREE, 0),
                          memory_order_release);
}

/* The first page stays: others may look at a chunk's header at any time. */
void kp_spool_punch_free(struct kp_spool *spool)
{
    for (uint32_t i = 0; spool->writable && i < kp_spool_chunk_end(spool); i++) {
        uint64_t word = kp_spool_word(spool, i);
        uint64_t offset = kp_decode_chunk_offset(&spool->opened, i);

        if (KP_CHUNK_STATE(word) != KP_CHUNK_FREE ||
            !atomic_compare_exchange_strong(&directory(spool)[i], &word,
                                            KP_CHUNK_WORD(KP_CHUNK_OWNED, getpid())))
            continue;
        fallocate(spool->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)offset + PAGE_BYTES, KP_CHUNK_BYTES - PAGE_BYTES);
        atomic_store_explicit(&directory(spool)[i], KP_CHUNK_WORD(KP_CHUNK_FREE, 0),
                              memory_order_release);
    }
}

static const char *check_counters(const uint8_t *bytes, uint32_t size)
{
    for (uint32_t at = 0; at < size / sizeof(struct kp_counter_block); at++)
        if (!kp_decode_block(bytes, size, at))
            return "a block of counters is damaged";
    return NULL;
}

static const char *check_records(struct kp_spool *spool, uint32_t index,
                                 const struct kp_chunk_header *chunk, uint8_t *buffer)
{
    struct kp_decode_records records = {buffer, chunk->used, 0, chunk->kind};
    union kp_record record;
    int type;

    if (kp_spool_read(spool, index, kp_decode_records_offset(chunk), 0, chunk->used, buffer, NULL))
        return "it is truncated";
    if (chunk->kind == KP_CHUNK_COUNTERS)
        return check_counters(buffer, chunk->used);
    do
        type = kp_decode_next(&records, &record);
    while (type > 0);
    return type < 0 ? "a record is damaged" : NULL;
}

int kp_spool_check(struct kp_spool *spool, struct kp_error *error)
{
    uint8_t *buffer = kp_alloc(KP_CHUNK_BYTES);
    const char *wrong = NULL;

    if (atomic_load(&spool->header->chunk_high) > spool->opened.chunk_count)
        wrong = "its count of chunks is impossible";
    for (uint32_t i = 0; !wrong && i < kp_spool_chunk_end(spool); i++) {
        uint64_t word = kp_spool_word(spool, i);
        struct kp_chunk_header chunk;

        if (KP_CHUNK_STATE(word) == KP_CHUNK_FREE)
            continue;
        if (KP_CHUNK_STATE(word) > KP_CHUNK_DONE)
            wrong = "a chunk is in an impossible state";
        else if (kp_spool_chunk(spool, i, &chunk))
            wrong = kp_decode_chunk(&chunk);
        else
            continue;
        if (!wrong)
            wrong = check_records(spool, i, &chunk, buffer);
    }
    free(buffer);
    return wrong ? kp_error_set(error, "cannot read the spool %s: %s", spool->path, wrong) : 0;
}
