/* SPDX-License-Identifier: MIT */
/*
 * What of the memory that allocators count as used was asked for. They round sizes up; a leak is told
 * in the bytes that the program asked for. Learnt from the sizes of the samples that are still there:
 * of those that were born in the middle third of the window, if there are enough: what was born later
 * may still go, what was born earlier is of the warm-up. How glibc, jemalloc and Python round is
 * known; what others use is taken for a 16th more, and the error says so. Pure functions, any thread.
 */
#ifndef KP_LEAK_SIZES_H
#define KP_LEAK_SIZES_H

#include "query_leaks.h"

struct kp_size_sums { /* bytes asked for, and with what the allocator adds */
    double asked, used, blocks, samples;
    double asked_2, both, used_2; /* squares and product, as far as samples stand for others; */
    double stands;                /* how far that is */
};
struct kp_rounding {    /* of an allocator */
    const char *names[2]; /* parts of its path; NULL: none */
    double (*used)(double size);
    double error; /* relative, of what is used: it is a guess */
};
struct kp_leak_sizes {
    const struct kp_rounding *rounding; /* of malloc */
    struct kp_size_sums sums[KP_LEAK_ALLOCATORS][2]; /* of all, of the middle third */
};

/* The path of malloc; NULL: unknown. */
void kp_leak_sizes_begin(struct kp_leak_sizes *sizes, const char *allocator);
void kp_leak_sizes_add(struct kp_leak_sizes *sizes, unsigned kind, double size, double weight,
                       bool in_middle);
/* Into the leaks' asked, asked_error and object_bytes. */
void kp_leak_sizes_tell(const struct kp_leak_sizes *sizes, struct kp_leaks *leaks);

#endif
