/* SPDX-License-Identifier: MIT */
/*
 * What of the memory that allocators count as used was asked for. They round sizes up; a leak is told
 * in the bytes that the program asked for. Learnt from the sizes of the samples that are still there:
 * of those that were born in the middle third of the window, if there are enough: what was born later
 * may still go, what was born earlier is of the warm-up. Pure functions, any thread.
 */
#ifndef KP_LEAK_SIZES_H
#define KP_LEAK_SIZES_H

#include "query_leaks.h"

struct kp_size_sums { /* bytes asked for, and with what the allocator adds */
    double asked, used, blocks, samples;
    double asked_2, both, used_2; /* squares and product, as far as samples stand for others */
};
enum { KP_SIZES_MALLOC, KP_SIZES_OBJECTS, KP_SIZES_ALLOCATORS };
struct kp_leak_sizes {
    bool of_glibc;
    struct kp_size_sums sums[KP_SIZES_ALLOCATORS][2]; /* of all, of the middle third */
};

void kp_leak_sizes_add(struct kp_leak_sizes *sizes, unsigned kind, double size, double weight,
                       bool in_middle);
/* Into live_asked, object_asked, object_bytes and asked_error. */
void kp_leak_sizes_tell(const struct kp_leak_sizes *sizes, struct kp_leaks *leaks);

#endif
