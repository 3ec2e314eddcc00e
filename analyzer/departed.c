/* SPDX-License-Identifier: MIT */
/*
 * A list that is thinned when it would have to grow, see departed.h. Slots are read against each
 * other, so that a free from before the latest mark may come late: each says when it was.
 */
#include "departed.h"

#include "alloc.h"
#include "site_table.h"

#include <stdlib.h>
#include <string.h>

#define AGE_SHARE 50u  /* as the age guard of leak_cohorts.h */
#define TAIL_SHARE 10u /* of the life of a process without marks */

uint64_t kp_departed_since_us(const struct kp_departed *departed)
{
    uint64_t life = departed->now_us - departed->started_us;

    return departed->last_mark ? 0 : departed->now_us - life / TAIL_SHARE;
}

bool kp_departed_is_kept(const struct kp_departed *departed,
                         const struct kp_departed_sample *sample)
{
    return sample->freed_iteration >= departed->last_mark &&
           sample->freed_us >= kp_departed_since_us(departed);
}

/* Those that have rows stay until the rows are gone. */
static void thin(struct kp_departed *departed)
{
    size_t kept = departed->stored;

    for (size_t i = departed->stored; i < departed->count; i++)
        if (kp_departed_is_kept(departed, &departed->samples[i]))
            departed->samples[kept++] = departed->samples[i];
    if (!departed->last_mark && kept - departed->stored > KP_DEPARTED_MAX) {
        size_t gone = kept - departed->stored - KP_DEPARTED_MAX / 2;

        memmove(departed->samples + departed->stored, departed->samples + departed->stored + gone,
                (kept - departed->stored - gone) * sizeof *departed->samples);
        kept -= gone;
    }
    departed->count = kept;
}

static bool has_lived(const struct kp_departed *departed, const struct kp_departed_sample *sample)
{
    if (sample->freed_iteration)
        return (sample->freed_iteration - sample->born_iteration) * AGE_SHARE >=
               sample->freed_iteration;
    return (sample->freed_us - sample->born_us) * AGE_SHARE >=
           sample->freed_us - departed->started_us;
}

void kp_departed_add(struct kp_departed *departed, const struct kp_live_sample *sample,
                     uint64_t now_us, uint64_t iteration)
{
    struct kp_departed_sample gone = {sample->site->row,      sample->size, sample->born_us,
                                      sample->born_iteration, now_us,       iteration,
                                      sample->weight};

    if (now_us > departed->now_us)
        departed->now_us = now_us;
    if (now_us < sample->born_us || iteration < sample->born_iteration ||
        !kp_departed_is_kept(departed, &gone) || !has_lived(departed, &gone))
        return;
    if (departed->count == departed->capacity)
        thin(departed);
    departed->samples = kp_array_grow(departed->samples, &departed->capacity, departed->count + 1,
                                      sizeof *departed->samples);
    departed->samples[departed->count++] = gone;
}

void kp_departed_settle(struct kp_departed *departed)
{
    size_t kept = 0;

    for (size_t i = 0; i < departed->count; i++)
        if (kp_departed_is_kept(departed, &departed->samples[i]))
            departed->samples[kept++] = departed->samples[i];
    departed->count = departed->stored = kept;
    departed->may_have_rows = kept > 0;
}

void kp_departed_release(struct kp_departed *departed)
{
    free(departed->samples);
    memset(departed, 0, sizeof *departed);
}
