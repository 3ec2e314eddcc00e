/* SPDX-License-Identifier: MIT */
/*
 * Programs whose memory is known, block by block, for the tests of the leak analysis: what is born
 * in which iteration at which place and when it dies, what a sampler at rate R would see of it, and
 * what the allocator would say at each mark.
 */
#ifndef KP_LEAK_SHAPES_H
#define KP_LEAK_SHAPES_H

#include "query_leaks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_block {
    int born, died; /* iterations; died == INT_MAX: never */
    double size;
    int place;
};

struct kp_program {
    int iterations;
    uint64_t random;
    struct kp_block *blocks;
    size_t count, capacity;
};

enum { KP_PLACES = 8, KP_PLACE_LEAK = 7 };

void kp_program_begin(struct kp_program *program, int iterations, uint64_t seed);
void kp_program_release(struct kp_program *program);
double kp_program_uniform(struct kp_program *program);
void kp_program_add(struct kp_program *program, int born, int died, double size, int place);

/* The ten shapes without a leak: each with a warm-up and noise. */
struct kp_shape {
    const char *name;
    void (*fill)(struct kp_program *program);
    bool may_slow; /* growth that slows down: a leak so far, to whoever looks at RSS */
};
extern const struct kp_shape kp_shapes[];
enum { KP_SHAPES = 10 };

/* `bytes` more in each iteration from `onset` on, at KP_PLACE_LEAK. */
void kp_program_leak(struct kp_program *program, double bytes, int onset);
/* Warm-up, a full cache, sawtooth and noise. */
void kp_program_usual(struct kp_program *program);

#define KP_RATE_AUTO 0 /* as the library does without a setting */
/* Samples at rate R (1: all) and judges; release with kp_leaks_release(). sites[].stack_id is the
 * place + 1. */
void kp_program_judge(struct kp_program *program, double rate, struct kp_leaks *leaks);

#endif
