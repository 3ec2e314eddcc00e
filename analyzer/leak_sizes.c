/* SPDX-License-Identifier: MIT */
/*
 * How allocators round, and the ratio of two sums with its error. Pure functions, any thread.
 */
#include "leak_sizes.h"

#include <math.h>

#define SAMPLES_LEAST 3 /* of the middle third, that stand for what stays */
#define OBJECT_BYTES 64.0 /* of a block of Python's, where no sample says it */

/* A header of 8 bytes, steps of 16; pages from 128 KiB on. */
static double glibc_chunk(double size)
{
    if (size >= 128 * 1024)
        return ceil((size + 16) / 4096) * 4096;
    return fmax(32, ceil((size + 8) / 16) * 16);
}

static double object_chunk(double size)
{
    return fmax(16, ceil(size / 16) * 16);
}

void kp_leak_sizes_add(struct kp_leak_sizes *sizes, unsigned kind, double size, double weight,
                       bool in_middle)
{
    bool is_object = kind & (KP_KINDS_OBJECT | KP_KINDS_MEM);
    double used = is_object ? object_chunk(size) : sizes->of_glibc ? glibc_chunk(size) : size;
    double squared = weight * (weight - 1);
    if (!is_object && !(kind & (KP_KINDS_MALLOC | KP_KINDS_NEW)))
        return;
    for (int part = 0; part < (in_middle ? 2 : 1); part++) {
        struct kp_size_sums *sums =
            &sizes->sums[is_object ? KP_SIZES_OBJECTS : KP_SIZES_MALLOC][part];
        sums->samples++;
        sums->asked += size * weight;
        sums->used += used * weight;
        sums->blocks += weight;
        sums->asked_2 += size * size * squared;
        sums->both += size * used * squared;
        sums->used_2 += used * used * squared;
    }
}

static const struct kp_size_sums *choose(const struct kp_leak_sizes *sizes, int allocator)
{
    const struct kp_size_sums *sums = sizes->sums[allocator];
    return &sums[sums[1].samples >= SAMPLES_LEAST];
}

static double asked_of(const struct kp_size_sums *sums)
{
    return sums->used > 0 ? sums->asked / sums->used : 1;
}

/* The standard error of what was asked for, in bytes: of a ratio (Cochran, Sampling Techniques,
 * 6.4). */
static double asked_error(const struct kp_size_sums *sums)
{
    double r = asked_of(sums);
    return sqrt(fmax(sums->asked_2 - 2 * r * sums->both + r * r * sums->used_2, 0));
}

void kp_leak_sizes_tell(const struct kp_leak_sizes *sizes, struct kp_leaks *leaks)
{
    const struct kp_size_sums *of_malloc = choose(sizes, KP_SIZES_MALLOC);
    const struct kp_size_sums *objects = choose(sizes, KP_SIZES_OBJECTS);
    double asked = of_malloc->asked + objects->asked;
    leaks->live_asked = asked_of(of_malloc);
    leaks->object_asked = asked_of(objects);
    leaks->object_bytes = objects->blocks > 0 ? objects->asked / objects->blocks : OBJECT_BYTES;
    leaks->asked_error =
        asked > 0 ? hypot(asked_error(of_malloc), asked_error(objects)) / asked : 0;
}
