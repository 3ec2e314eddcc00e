/* SPDX-License-Identifier: MIT */
/*
 * How allocators round, and the ratio of two sums with its error. Pure functions, any thread.
 */
#include "leak_sizes.h"

#include <math.h>
#include <string.h>

#define SAMPLES_LEAST 3 /* of the middle third, that stand for what stays */
#define SAMPLES_ASSUMED 10
#define OBJECT_BYTES 64.0 /* of a block of Python's, where no sample says it */

/* Between nothing and an eighth. */
#define GUESS (1 + 1.0 / 16)
#define GUESS_ERROR (1.0 / 16 / 1.732)

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

/* Steps of 16 up to 128, then four to each doubling. */
static double jemalloc_chunk(double size)
{
    double step = size > 128 ? ldexp(1, ilogb(size - 1) - 2) : size > 8 ? 16 : 8;
    return fmax(ceil(size / step), 1) * step;
}

static double guessed_chunk(double size)
{
    return size * GUESS;
}

void kp_leak_sizes_begin(struct kp_leak_sizes *sizes, const char *allocator)
{
    static const struct kp_rounding roundings[] = {{{"/libc.so", "/libc-2"}, glibc_chunk, 0},
                                                   {{"jemalloc", NULL}, jemalloc_chunk, 0},
                                                   {{NULL, NULL}, guessed_chunk, GUESS_ERROR}};
    const struct kp_rounding *r = roundings;
    while (r->names[0] && !(allocator && (strstr(allocator, r->names[0]) ||
                                          (r->names[1] && strstr(allocator, r->names[1])))))
        r++;
    *sizes = (struct kp_leak_sizes){.rounding = r};
}

void kp_leak_sizes_add(struct kp_leak_sizes *sizes, unsigned kind, double size, double weight,
                       bool in_middle)
{
    bool is_object = kind & (KP_KINDS_OBJECT | KP_KINDS_MEM);
    double used = is_object ? object_chunk(size) : sizes->rounding->used(size);
    double squared = weight * (weight - 1);
    if (!is_object && !(kind & (KP_KINDS_MALLOC | KP_KINDS_NEW)))
        return;
    for (int part = 0; part < (in_middle ? 2 : 1); part++) {
        struct kp_size_sums *sums =
            &sizes->sums[is_object ? KP_LEAK_OBJECTS : KP_LEAK_MALLOC][part];
        sums->samples++;
        sums->asked += size * weight;
        sums->used += used * weight;
        sums->blocks += weight;
        sums->stands += squared;
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

/* The relative standard error of that ratio (Cochran, Sampling Techniques, 6.4). A few samples may be
 * alike by chance: it is as if there were more, rounded in steps of 16 from sizes of all kinds. */
static double asked_error(const struct kp_size_sums *sums)
{
    double r = asked_of(sums), n = sums->samples;
    double squares = fmax(sums->asked_2 - 2 * r * sums->both + r * r * sums->used_2, 0);
    if (!(sums->asked > 0))
        return 0;
    squares += SAMPLES_ASSUMED * sums->stands / n * (16 * 16 / 12.0);
    return sqrt(squares * n / (n + SAMPLES_ASSUMED)) / sums->asked;
}

void kp_leak_sizes_tell(const struct kp_leak_sizes *sizes, struct kp_leaks *leaks)
{
    for (int i = 0; i < KP_LEAK_ALLOCATORS; i++) {
        const struct kp_size_sums *sums = choose(sizes, i);
        leaks->asked[i] = asked_of(sums);
        leaks->asked_error[i] = asked_error(sums);
    }
    leaks->asked_error[KP_LEAK_MALLOC] =
        hypot(leaks->asked_error[KP_LEAK_MALLOC], sizes->rounding->error);
    const struct kp_size_sums *objects = choose(sizes, KP_LEAK_OBJECTS);
    leaks->object_bytes = objects->blocks > 0 ? objects->asked / objects->blocks : OBJECT_BYTES;
}
