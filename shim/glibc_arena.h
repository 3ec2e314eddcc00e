/* SPDX-License-Identifier: MIT */
/*
 * The memory of glibc's malloc as it is laid out in 2.27 to 2.42, and where to find it.
 */
#ifndef KP_GLIBC_ARENA_H
#define KP_GLIBC_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_GLIBC_BINS 127
#define KP_GLIBC_FASTBINS 10
#define KP_GLIBC_HEAP_BYTES (64ull << 20) /* alignment of the heaps of a thread's arena */
#define KP_GLIBC_NOT_CONTIGUOUS 2u

struct kp_glibc_chunk {
    size_t previous_size;
    size_t size; /* the low three bits are flags */
    struct kp_glibc_chunk *next, *previous; /* of a free one */
};

struct kp_glibc_arena {
    int lock;
    int flags;
    int have_fast_chunks;
    struct kp_glibc_chunk *fastbins[KP_GLIBC_FASTBINS];
    struct kp_glibc_chunk *top, *last_remainder;
    struct kp_glibc_chunk *bins[KP_GLIBC_BINS * 2];
    unsigned bin_map[4];
    struct kp_glibc_arena *next, *next_free;
    size_t attached_threads, system_bytes, system_bytes_max;
};

struct kp_glibc_heap {
    struct kp_glibc_arena *arena;
    struct kp_glibc_heap *previous;
    size_t size;
};

struct kp_glibc {
    struct kp_glibc_arena *main; /* the others follow in a ring */
    const size_t *mapped_bytes;  /* in blocks of their own mapping; NULL unknown */
    const size_t *trim_threshold, *mmap_threshold;
    bool mangles_links; /* of single lists, from 2.32 on */
};

/* Looks once; false: not found, or not what we know. */
bool kp_glibc_find(struct kp_glibc *glibc);

/* A bin's header seen as a chunk: only its links are there. */
static inline struct kp_glibc_chunk *kp_glibc_bin(struct kp_glibc_arena *arena, unsigned bin)
{
    return (struct kp_glibc_chunk *)((char *)&arena->bins[bin * 2] -
                                     offsetof(struct kp_glibc_chunk, next));
}

static inline size_t kp_glibc_chunk_bytes(const struct kp_glibc_chunk *chunk)
{
    return chunk->size & ~(size_t)7;
}

#endif
