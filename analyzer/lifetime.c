/* SPDX-License-Identifier: MIT */
/*
 * Sums of one batch by (site, unit, power of two), see lifetime.h.
 */
#include "lifetime.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static struct kp_lifetime *get(struct kp_lifetimes *lifetimes, int64_t site, unsigned unit,
                               unsigned log2_age)
{
    uint64_t hash = kp_hash2((uint64_t)site, unit << 8 | log2_age);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&lifetimes->index, hash, &at))) {
        struct kp_lifetime *one = &lifetimes->all[id];

        if (one->site == site && one->unit == unit && one->log2_age == log2_age)
            return one;
    }
    id = ++lifetimes->count;
    lifetimes->all =
        kp_array_grow(lifetimes->all, &lifetimes->capacity, (size_t)id + 1, sizeof *lifetimes->all);
    lifetimes->all[id] = (struct kp_lifetime){
        .site = site, .unit = (uint8_t)unit, .log2_age = (uint8_t)log2_age};
    kp_index_insert(&lifetimes->index, hash, id);
    return &lifetimes->all[id];
}

void kp_lifetimes_add(struct kp_lifetimes *lifetimes, int64_t site, enum kp_age_unit unit,
                      uint64_t age, double bytes, double count)
{
    struct kp_lifetime *one = get(lifetimes, site, unit, kp_log2_age(age));

    one->samples++;
    one->bytes += bytes;
    one->count += count;
}

void kp_lifetimes_settle(struct kp_lifetimes *lifetimes)
{
    struct kp_index *index = &lifetimes->index;

    if (index->ids)
        memset(index->ids, 0, ((size_t)index->mask + 1) * sizeof *index->ids);
    index->count = 0;
    lifetimes->count = 0;
}

void kp_lifetimes_release(struct kp_lifetimes *lifetimes)
{
    free(lifetimes->all);
    kp_index_free(&lifetimes->index);
    memset(lifetimes, 0, sizeof *lifetimes);
}
