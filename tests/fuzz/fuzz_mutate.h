/* SPDX-License-Identifier: MIT */
/*
 * What both fuzzers do to bytes: a random source that depends on its seed only, buffers, and
 * damage that knows nothing of the format but its grain. Damage that knows the format is in
 * fuzz_spool.c and fuzz_sql.c. One thread.
 */
#ifndef KP_FUZZ_MUTATE_H
#define KP_FUZZ_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_fuzz_random {
    uint64_t state;
};
uint64_t kp_fuzz_next(struct kp_fuzz_random *random);
/* In [0, end); 0 for an end of 0. */
uint64_t kp_fuzz_below(struct kp_fuzz_random *random, uint64_t end);
bool kp_fuzz_one_in(struct kp_fuzz_random *random, unsigned n);
/* 0, 1, all ones, powers of two and their neighbours, `near` and its neighbours, or anything; for a
 * field of `width` bytes. */
uint64_t kp_fuzz_value(struct kp_fuzz_random *random, uint64_t near, size_t width);

struct kp_fuzz_bytes {
    uint8_t *at; /* NULL: there is no such file */
    size_t size;
};
void kp_fuzz_bytes_set(struct kp_fuzz_bytes *bytes, const void *from, size_t size);
/* New bytes are 0. */
void kp_fuzz_bytes_resize(struct kp_fuzz_bytes *bytes, size_t size);
void kp_fuzz_bytes_free(struct kp_fuzz_bytes *bytes);

/* Replaces a little-endian number of at most 8 bytes. */
void kp_fuzz_damage_value(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t place,
                          size_t width);
/* Replaces the 1, 2, 4 or 8 bytes (aligned to their number) at a place in [from, to). */
void kp_fuzz_damage_field(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t from,
                          size_t to);
void kp_fuzz_flip_bits(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t from,
                       size_t to);
/* Copies, swaps or clears blocks of `block` bytes that begin at `first`, or cuts the file there. */
void kp_fuzz_damage_blocks(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t first,
                           size_t block);
/* Makes it shorter, or (once in a while) longer. */
void kp_fuzz_cut(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes);

#endif
