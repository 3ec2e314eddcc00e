/* SPDX-License-Identifier: MIT */
/*
 * Samples are kept in segments, so that their number grows without a copy and pointers to them
 * hold. They are found by open addressing with backward-shift deletion: no tombstones, so that a
 * look-up costs the same after 10^9 frees. A place holds the hash, so that neither growing nor
 * shifting looks at the samples, which are far apart in memory.
 */
#include "live_set.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_FIRST 16u

void kp_live_set_release(struct kp_live_set *set)
{
    for (uint32_t i = 0; set->made && i <= set->made / KP_LIVE_SEGMENT; i++)
        free(set->segments[i]);
    free(set->segments);
    free(set->places);
    memset(set, 0, sizeof *set);
}

static void add_segment(struct kp_live_set *set, uint32_t segment)
{
    size_t none = 0;

    set->segments = kp_array_grow(set->segments, &set->segment_capacity, (size_t)segment + 1,
                                  sizeof *set->segments);
    set->segments[segment] = kp_array_grow(NULL, &none, KP_LIVE_SEGMENT, sizeof **set->segments);
}

static uint32_t take(struct kp_live_set *set)
{
    uint32_t number = set->free;

    if (number) {
        set->free = kp_live_set_at(set, number)->next;
        return number;
    }
    number = ++set->made;
    if (number == 1 || number % KP_LIVE_SEGMENT == 0)
        add_segment(set, number / KP_LIVE_SEGMENT);
    return number;
}

static void link_unstored(struct kp_live_set *set, struct kp_live_sample *sample, uint32_t number)
{
    sample->previous = set->last_unstored;
    sample->next = 0;
    if (set->last_unstored)
        kp_live_set_at(set, set->last_unstored)->next = number;
    else
        set->first_unstored = number;
    set->last_unstored = number;
    set->unstored++;
}

static void unlink_unstored(struct kp_live_set *set, const struct kp_live_sample *sample)
{
    if (sample->previous)
        kp_live_set_at(set, sample->previous)->next = sample->next;
    else
        set->first_unstored = sample->next;
    if (sample->next)
        kp_live_set_at(set, sample->next)->previous = sample->previous;
    else
        set->last_unstored = sample->previous;
    set->unstored--;
}

/* Its low bits are its home. Four ids in a row share a cache line of places: they are often born,
 * and freed, together. */
static uint32_t hash_of(uint64_t id)
{
    uint64_t group = id >> 2;

    return (uint32_t)((group ^ group >> 38) * 0x9e3779b97f4a7c15u >> 32) << 2 | (id & 3);
}

/* The place of this id, or the empty one where it would be. */
static uint32_t place_of(const struct kp_live_set *set, uint64_t id, uint32_t hash)
{
    uint32_t at = hash & set->mask;

    while (set->places[at].sample && (set->places[at].hash != hash ||
                                      kp_live_set_at(set, set->places[at].sample)->id != id))
        at = (at + 1) & set->mask;
    return at;
}

static void grow(struct kp_live_set *set)
{
    struct kp_live_place *old = set->places;
    uint32_t old_count = old ? set->mask + 1 : 0;

    set->mask = old ? 2 * old_count - 1 : PLACES_FIRST - 1;
    set->places = kp_alloc(((size_t)set->mask + 1) * sizeof *set->places);
    for (uint32_t from = 0; from < old_count; from++) {
        uint32_t at = old[from].hash & set->mask;

        if (!old[from].sample)
            continue;
        while (set->places[at].sample)
            at = (at + 1) & set->mask;
        set->places[at] = old[from];
    }
    free(old);
}

struct kp_live_sample *kp_live_set_insert(struct kp_live_set *set, uint64_t id)
{
    uint32_t hash = hash_of(id);

    if (!set->places || set->count > set->mask / 4 * 3)
        grow(set);
    uint32_t at = place_of(set, id, hash);
    if (set->places[at].sample)
        return NULL;
    uint32_t number = take(set);
    struct kp_live_sample *sample = kp_live_set_at(set, number);

    sample->id = id;
    sample->row = 0;
    link_unstored(set, sample, number);
    set->places[at] = (struct kp_live_place){number, hash};
    set->count++;
    return sample;
}

struct kp_live_sample *kp_live_set_find(const struct kp_live_set *set, uint64_t id)
{
    uint32_t number = set->places ? set->places[place_of(set, id, hash_of(id))].sample : 0;

    return number ? kp_live_set_at(set, number) : NULL;
}

void kp_live_set_expect(const struct kp_live_set *set, uint64_t id)
{
    if (set->places)
        __builtin_prefetch(&set->places[hash_of(id) & set->mask], 1);
}

/* Closes the gap at `at`: whoever may, moves nearer to its home. */
static void shift_back(struct kp_live_set *set, uint32_t at)
{
    for (uint32_t next = (at + 1) & set->mask; set->places[next].sample;
         next = (next + 1) & set->mask) {
        if (((next - set->places[next].hash) & set->mask) < ((next - at) & set->mask))
            continue;
        set->places[at] = set->places[next];
        at = next;
    }
    set->places[at].sample = 0;
}

void kp_live_set_remove(struct kp_live_set *set, struct kp_live_sample *sample)
{
    uint32_t at = place_of(set, sample->id, hash_of(sample->id));

    if (!kp_live_set_is_stored(set, sample))
        unlink_unstored(set, sample);
    sample->next = set->free;
    set->free = set->places[at].sample;
    shift_back(set, at);
    set->count--;
}

void kp_live_set_mark_stored(struct kp_live_set *set, struct kp_live_sample *sample, int64_t row)
{
    unlink_unstored(set, sample);
    sample->row = set->rows_stored = row;
}

void kp_live_set_settle(struct kp_live_set *set, int64_t last_row)
{
    set->first_unstored = set->last_unstored = set->unstored = 0;
    set->rows_stored = last_row;
}
