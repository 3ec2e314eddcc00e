/* SPDX-License-Identifier: MIT */
/*
 * The fields of the spool's structs, so that a fuzzer hits them and not the space between. One
 * thread.
 */
#ifndef KP_FUZZ_FIELDS_H
#define KP_FUZZ_FIELDS_H

#include "fuzz_mutate.h"

/* Types of records, and beyond them the other structs. */
enum kp_fuzz_struct { KP_FUZZ_HEADER = 256, KP_FUZZ_CHUNK, KP_FUZZ_INFO };

/* Gives a field of the struct at this place another value. */
void kp_fuzz_damage_struct(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t at,
                           unsigned which);

#endif
