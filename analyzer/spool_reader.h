/* SPDX-License-Identifier: MIT */
/*
 * An open spool: the header and the directory as they are now, copies of chunks, and giving chunks
 * back. Knows nothing of what the records mean. One thread.
 *
 * Chunks are copied out with pread, never read through the mapping, until their header has shown
 * that their pages exist: touching a hole in a mapping of a full tmpfs would be a SIGBUS.
 */
#ifndef KP_SPOOL_READER_H
#define KP_SPOOL_READER_H

#include "decode.h"
#include "error.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct kp_spool {
    int file;      /* -1: closed */
    bool writable; /* false: nothing in the file may change */
    uint8_t *map;
    uint64_t map_bytes;
    struct kp_spool_header *header; /* live */
    struct kp_spool_header opened;  /* as it was when checked; use this for sizes */
    char path[4096];
};

enum kp_spool_lock {
    KP_SPOOL_LOCK_NONE,
    KP_SPOOL_LOCK_HELD,
    KP_SPOOL_LOCK_BUSY,
    KP_SPOOL_LOCK_GONE
};

/* Opens and checks the header. On failure the spool is closed. */
int kp_spool_open(struct kp_spool *spool, const char *path, bool writable, struct kp_error *error);
void kp_spool_close(struct kp_spool *spool);

/* The lock of whoever turns the spool into rows; held until close. BUSY after `patience_ms`. GONE:
 * the path no longer leads to this file. */
enum kp_spool_lock kp_spool_lock(struct kp_spool *spool, unsigned patience_ms);

/* Goes through all chunks and records; an error when one of them cannot be. */
int kp_spool_check(struct kp_spool *spool, struct kp_error *error);
/* The file is still as long as it was. */
int kp_spool_check_size(struct kp_spool *spool, struct kp_error *error);

/* Chunks to look at: [0, this). */
uint32_t kp_spool_chunk_end(const struct kp_spool *spool);
uint64_t kp_spool_word(const struct kp_spool *spool, uint32_t index);
/* Copies the header of a chunk that is announced (has its magic); false when it is not (yet). */
bool kp_spool_chunk(const struct kp_spool *spool, uint32_t index, struct kp_chunk_header *copy);
/* Of an announced chunk: the present `used`, not beyond what a chunk can hold. */
uint32_t kp_spool_used(const struct kp_spool *spool, uint32_t index);
/* Copies the present counters of an announced PROCESS chunk. */
void kp_spool_info(const struct kp_spool *spool, uint32_t index, struct kp_process_info *copy);
/* Copies bytes [from, to) behind the start of the records; the buffer is for a whole chunk. */
int kp_spool_read(const struct kp_spool *spool, uint32_t index, uint32_t records_offset,
                  uint32_t from, uint32_t to, uint8_t *buffer, struct kp_error *error);

/* Gives an announced chunk back to the writers. Nothing happens if it is not writable. */
void kp_spool_free_chunk(struct kp_spool *spool, uint32_t index);
/* Gives the disk blocks of free chunks back to the file system. */
void kp_spool_punch_free(struct kp_spool *spool);

#endif
