/* SPDX-License-Identifier: MIT */
/*
 * One input of a fuzzer: the files that make up a recording, as bytes in memory. A case can be
 * laid out in a directory, read back from there, and packed into one file (a finding; what
 * libFuzzer keeps in its corpus). One thread.
 */
#ifndef KP_FUZZ_CASE_H
#define KP_FUZZ_CASE_H

#include "fuzz_mutate.h"

enum kp_fuzz_file { KP_FUZZ_DATABASE, KP_FUZZ_WAL, KP_FUZZ_SPOOL, KP_FUZZ_FILES };

struct kp_fuzz_case {
    struct kp_fuzz_bytes files[KP_FUZZ_FILES];
};

void kp_fuzz_case_copy(struct kp_fuzz_case *to, const struct kp_fuzz_case *from);
void kp_fuzz_case_free(struct kp_fuzz_case *one);

/* The files of the database at `path`; those that are missing are none. */
void kp_fuzz_case_read(struct kp_fuzz_case *one, const char *path);
/* The other way round; files that are none are removed. */
void kp_fuzz_case_write(const struct kp_fuzz_case *one, const char *path);
/* NULL: the files at `path` are those of the case. Otherwise what differs. */
const char *kp_fuzz_case_differs(const struct kp_fuzz_case *one, const char *path);

/* Packed: a magic, the sizes, the bytes without long runs of zeros. Unpack is false when it is
 * nothing of this kind. */
void kp_fuzz_case_pack(const struct kp_fuzz_case *one, struct kp_fuzz_bytes *packed);
bool kp_fuzz_case_unpack(struct kp_fuzz_case *one, const uint8_t *packed, size_t size);

/* False when the file cannot be read. */
bool kp_fuzz_read_file(const char *path, struct kp_fuzz_bytes *bytes);
void kp_fuzz_write_file(const char *path, const struct kp_fuzz_bytes *bytes);

#endif
