/* SPDX-License-Identifier: MIT */
/*
 * Sums of one batch by unit and power of two, see lifetime.h. A free touches one cell a unit: this
 * is on the way of every freed sample.
 */
#include "lifetime.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void grow(struct kp_lifetimes *lifetimes, enum kp_age_unit unit, unsigned log2_age)
{
    size_t capacity = lifetimes->count[unit], count = log2_age + 4;

    lifetimes->cells[unit] =
        kp_array_grow(lifetimes->cells[unit], &capacity, count, sizeof *lifetimes->cells[unit]);
    memset(lifetimes->cells[unit] + lifetimes->count[unit], 0,
           (count - lifetimes->count[unit]) * sizeof *lifetimes->cells[unit]);
    lifetimes->count[unit] = (uint8_t)count;
}

void kp_lifetimes_add(struct kp_lifetimes *lifetimes, enum kp_age_unit unit, uint64_t age,
                      double bytes, double count)
{
    unsigned log2_age = kp_log2_age(age);

    if (log2_age >= lifetimes->count[unit])
        grow(lifetimes, unit, log2_age);
    struct kp_age_cell *cell = &lifetimes->cells[unit][log2_age];
    cell->samples++;
    cell->bytes += bytes;
    cell->count += count;
}

void kp_lifetimes_settle(struct kp_lifetimes *lifetimes)
{
    for (int unit = 0; unit < KP_AGE_UNITS; unit++)
        if (lifetimes->count[unit])
            memset(lifetimes->cells[unit], 0,
                   lifetimes->count[unit] * sizeof *lifetimes->cells[unit]);
}

void kp_lifetimes_release(struct kp_lifetimes *lifetimes)
{
    for (int unit = 0; unit < KP_AGE_UNITS; unit++)
        free(lifetimes->cells[unit]);
    memset(lifetimes, 0, sizeof *lifetimes);
}
