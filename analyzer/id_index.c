/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing, doubled at half full. See id_index.h.
 */
#include "id_index.h"

#include "alloc.h"

#include <stdlib.h>

#define PLACES_FIRST 64u

static void put(struct kp_index *index, uint32_t hash, uint32_t id)
{
    uint32_t at = hash & index->mask;

    while (index->ids[at])
        at = (at + 1) & index->mask;
    index->ids[at] = id;
    index->hashes[at] = hash;
}

static void grow(struct kp_index *index)
{
    struct kp_index old = *index;
    uint32_t places = old.ids ? (old.mask + 1) * 2 : PLACES_FIRST;

    index->mask = places - 1;
    index->ids = kp_alloc(places * sizeof *index->ids);
    index->hashes = kp_alloc(places * sizeof *index->hashes);
    for (uint32_t at = 0; old.ids && at <= old.mask; at++)
        if (old.ids[at])
            put(index, old.hashes[at], old.ids[at]);
    free(old.ids);
    free(old.hashes);
}

void kp_index_free(struct kp_index *index)
{
    free(index->ids);
    free(index->hashes);
    *index = (struct kp_index){0};
}

void kp_index_insert(struct kp_index *index, uint64_t hash, uint32_t id)
{
    if (!index->ids || index->count > index->mask / 2)
        grow(index);
    put(index, (uint32_t)hash, id);
    index->count++;
}

uint32_t kp_index_find(const struct kp_index *index, uint64_t hash, uint32_t *at)
{
    if (!index->ids)
        return 0;
    for (;; ++*at) {
        uint32_t place = *at & index->mask;

        if (!index->ids[place])
            return 0;
        if (index->hashes[place] == (uint32_t)hash) {
            ++*at;
            return index->ids[place];
        }
    }
}
