/* SPDX-License-Identifier: MIT */
/*
 * A hash index over things that are numbered from 1 and kept in an array elsewhere: it holds only
 * numbers, the owner compares. Nothing is ever removed. One thread.
 *
 *   uint32_t at = (uint32_t)hash, id;
 *   while ((id = kp_index_find(&index, hash, &at)))
 *       if (things[id] is it)
 *           return id;
 */
#ifndef KP_ID_INDEX_H
#define KP_ID_INDEX_H

#include <stdint.h>

struct kp_index {
    uint32_t *ids;    /* 0: empty place */
    uint32_t *hashes; /* of the ids at the same places */
    uint32_t mask, count;
};

void kp_index_free(struct kp_index *index);
void kp_index_insert(struct kp_index *index, uint64_t hash, uint32_t id);

static inline uint64_t kp_hash2(uint64_t a, uint64_t b)
{
    uint64_t h = (a + 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;

    h = (h ^ h >> 32 ^ b) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

static inline uint64_t kp_hash_bytes(const void *bytes, uint64_t count, uint64_t seed)
{
    const unsigned char *at = bytes;
    uint64_t h = seed ^ 0xcbf29ce484222325u;

    for (uint64_t i = 0; i < count; i++)
        h = (h ^ at[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The next candidate, 0: there is none. */
uint32_t kp_index_find(const struct kp_index *index, uint64_t hash, uint32_t *at);

#endif
