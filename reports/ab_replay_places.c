/* SPDX-License-Identifier: MIT */
/*
 * Sites put together by the line that a reader knows them by, and put in order of what they have
 * live at the worst moment: many blocks first, since it is their number that keeps pages. One thread.
 */
#include "ab_replay.h"
#include "alloc.h"
#include "where.h"

#include <stdlib.h>
#include <string.h>

static uint16_t place_named(struct kp_ab_replay *replay, const char *where, int64_t stack)
{
    for (size_t i = 0; i < replay->place_count; i++)
        if (strcmp(replay->places[i].where, where) == 0)
            return (uint16_t)i;
    size_t number = replay->place_count++;
    replay->places[number] = (struct kp_ab_place){.where = kp_copy_text(where, strlen(where)),
                                                  .number = (uint16_t)number,
                                                  .stack_id = stack};
    return (uint16_t)number;
}

int kp_ab_replay_places(struct kp_ab_replay *replay, struct kp_error *error)
{
    static struct kp_frame frames[KP_FRAMES_MAX];
    size_t sites = replay->record.site_count;
    if (kp_query_load_stacks(replay->query, error) != 0)
        return -1;
    replay->place_of_site = kp_alloc((sites + 1) * sizeof *replay->place_of_site);
    replay->places = kp_alloc((sites + 1) * sizeof *replay->places);
    for (size_t i = 0; i < sites; i++) {
        struct kp_where where;
        int64_t stack = replay->record.sites[i].stack_id;
        kp_where_of(frames, kp_query_frames(replay->query, stack, frames, KP_FRAMES_MAX), &where);
        replay->place_of_site[i] = place_named(replay, where.text, stack);
    }
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const struct kp_ab_place *x = a, *y = b;
    return (x->blocks < y->blocks) - (x->blocks > y->blocks);
}

void kp_ab_replay_order(struct kp_ab_replay *replay)
{
    const struct kp_replay_record *record = &replay->record;
    uint64_t *sizes = kp_alloc((record->blocks + 1u) * sizeof *sizes);
    size_t until = (size_t)(replay->worst + 1) * record->event_count / KP_REPLAY_POINTS;
    for (size_t i = 0; i < until; i++) {
        const struct kp_replay_event *event = &record->events[i];
        if (event->site == KP_REPLAY_NO_SITE)
            continue;
        struct kp_ab_place *place = &replay->places[replay->place_of_site[event->site]];
        bool is_free = event->size == KP_REPLAY_FREE;
        if (!is_free)
            sizes[event->block] = event->size;
        place->live += is_free ? -sizes[event->block] : event->size;
        place->blocks += is_free ? -1ULL : 1ULL;
    }
    free(sizes);
    qsort(replay->places, replay->place_count, sizeof *replay->places, compare_places);
}
