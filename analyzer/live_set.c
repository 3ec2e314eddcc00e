/* SPDX-License-Identifier: MIT */
/*
 * The pool is made of segments, so that it grows without being copied and pointers into it hold.
 * The sets are open addressing with backward-shift deletion: no tombstones, so that a look-up
 * costs the same after 10^9 frees.
 */
#include "live_set.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_FIRST 16u

void kp_live_pool_release(struct kp_live_pool *pool)
{
    for (uint32_t i = 0; pool->count && i <= pool->count / KP_LIVE_SEGMENT; i++)
        free(pool->segments[i]);
    free(pool->segments);
    memset(pool, 0, sizeof *pool);
}

static uint32_t pool_take(struct kp_live_pool *pool)
{
    uint32_t number = pool->free;

    if (number) {
        pool->free = kp_live_set_at(pool, number)->next;
        return number;
    }
    number = ++pool->count;
    if (number == 1 || number % KP_LIVE_SEGMENT == 0) {
        uint32_t segment = number / KP_LIVE_SEGMENT;

        pool->segments = kp_array_grow(pool->segments, &pool->segment_capacity, (size_t)segment + 1,
                                       sizeof *pool->segments);
        pool->segments[segment] = kp_alloc(KP_LIVE_SEGMENT * sizeof **pool->segments);
    }
    return number;
}

static void link_unstored(struct kp_live_pool *pool, uint32_t number)
{
    struct kp_live_sample *sample = kp_live_set_at(pool, number);

    sample->previous = pool->last_unstored;
    sample->next = 0;
    if (pool->last_unstored)
        kp_live_set_at(pool, pool->last_unstored)->next = number;
    else
        pool->first_unstored = number;
    pool->last_unstored = number;
    pool->unstored++;
}

static void unlink_unstored(struct kp_live_pool *pool, const struct kp_live_sample *sample)
{
    if (sample->previous)
        kp_live_set_at(pool, sample->previous)->next = sample->next;
    else
        pool->first_unstored = sample->next;
    if (sample->next)
        kp_live_set_at(pool, sample->next)->previous = sample->previous;
    else
        pool->last_unstored = sample->previous;
    pool->unstored--;
}

static void pool_give(struct kp_live_pool *pool, uint32_t number)
{
    struct kp_live_sample *sample = kp_live_set_at(pool, number);

    if (!sample->stored)
        unlink_unstored(pool, sample);
    sample->next = pool->free;
    pool->free = number;
    pool->live--;
}

/* Four ids in a row share a cache line of places: they are often born, and freed, together. */
static uint32_t home(const struct kp_live_set *set, uint64_t id)
{
    uint64_t group = id >> 2;

    return ((uint32_t)((group ^ group >> 38) * 0x9e3779b97f4a7c15u >> 32) << 2 | (id & 3)) &
           set->mask;
}

/* The place of this id, or the empty one where it would be. */
static uint32_t place_of(const struct kp_live_set *set, uint64_t id)
{
    uint32_t at = home(set, id);

    while (set->places[at].sample && set->places[at].id != id)
        at = (at + 1) & set->mask;
    return at;
}

static void grow(struct kp_live_set *set)
{
    struct kp_live_set old = *set;
    uint32_t places = old.places ? (old.mask + 1) * 2 : PLACES_FIRST;

    set->mask = places - 1;
    set->places = kp_alloc(places * sizeof *set->places);
    for (uint32_t at = 0; old.places && at <= old.mask; at++)
        if (old.places[at].sample)
            set->places[place_of(set, old.places[at].id)] = old.places[at];
    free(old.places);
}

struct kp_live_sample *kp_live_set_insert(struct kp_live_pool *pool, struct kp_live_set *set,
                                          uint64_t id)
{
    if (!set->places || set->count > set->mask / 4 * 3)
        grow(set);
    uint32_t at = place_of(set, id);

    if (set->places[at].sample)
        return NULL;
    uint32_t number = pool_take(pool);
    struct kp_live_sample *sample = kp_live_set_at(pool, number);

    sample->id = id;
    sample->stored = false;
    link_unstored(pool, number);
    set->places[at] = (struct kp_live_set_place){id, number};
    set->count++;
    pool->live++;
    return sample;
}

struct kp_live_sample *kp_live_set_find(const struct kp_live_pool *pool,
                                        const struct kp_live_set *set, uint64_t id)
{
    uint32_t number = set->places ? set->places[place_of(set, id)].sample : 0;

    return number ? kp_live_set_at(pool, number) : NULL;
}

/* Closes the gap at `at`: whoever may, moves nearer to its home. */
static void shift_back(struct kp_live_set *set, uint32_t at)
{
    for (uint32_t next = (at + 1) & set->mask; set->places[next].sample;
         next = (next + 1) & set->mask) {
        uint32_t wanted = home(set, set->places[next].id);

        if (((next - wanted) & set->mask) >= ((next - at) & set->mask)) {
            set->places[at] = set->places[next];
            at = next;
        }
    }
    set->places[at].sample = 0;
}

void kp_live_set_remove(struct kp_live_pool *pool, struct kp_live_set *set, uint64_t id)
{
    uint32_t at = place_of(set, id);

    pool_give(pool, set->places[at].sample);
    shift_back(set, at);
    set->count--;
}

void kp_live_set_mark_stored(struct kp_live_pool *pool, const struct kp_live_set *set, uint64_t id)
{
    struct kp_live_sample *sample = kp_live_set_find(pool, set, id);

    unlink_unstored(pool, sample);
    sample->stored = true;
}

void kp_live_set_settle(struct kp_live_pool *pool)
{
    for (uint32_t number = pool->first_unstored; number;) {
        struct kp_live_sample *sample = kp_live_set_at(pool, number);

        number = sample->next;
        sample->stored = true;
    }
    pool->first_unstored = pool->last_unstored = 0;
    pool->unstored = 0;
}

void kp_live_set_release(struct kp_live_pool *pool, struct kp_live_set *set)
{
    for (uint32_t at = 0; set->places && at <= set->mask; at++)
        if (set->places[at].sample)
            pool_give(pool, set->places[at].sample);
    free(set->places);
    *set = (struct kp_live_set){0};
}
