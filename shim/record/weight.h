/* SPDX-License-Identifier: MIT */
/*
 * What one sample stands for (Horvitz-Thompson). Bytes are a stream marked by a Poisson process
 * of rate 1/R; a block of S bytes, counted as S + 16, is sampled with p = 1 - exp(-(S+16)/R), so
 * a sampled block stands for S/p bytes and 1/p blocks. R = 1 means every allocation: p = 1.
 * Weigh each sample with the R it was drawn at, then sum. Pure functions, any thread.
 */
#ifndef KP_WEIGHT_H
#define KP_WEIGHT_H

#include "record.h"

#include <math.h>
#include <stdint.h>

static inline double kp_sample_probability(uint64_t size_bytes, uint64_t rate_bytes)
{
    if (rate_bytes <= 1)
        return 1.0;
    return -expm1(-(double)KP_SAMPLED_BYTES(size_bytes) / (double)rate_bytes);
}

#endif
