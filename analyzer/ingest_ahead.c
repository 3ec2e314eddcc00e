/* SPDX-License-Identifier: MIT */
/* See ingest_ahead.h. A record that is damaged ends a reader; who takes it says so. */
#include "ingest_ahead.h"

#define APART 8 /* records between the readers: about the time of one miss */

/* The node of a birth, and the place of a birth or death in the live set. */
static void expect_first(struct kp_ingest_ahead *ahead, const struct kp_slot_run *run, int type,
                         union kp_record record)
{
    const struct kp_live_set *live = &run->process->live;

    if (type == KP_REC_FREE)
        kp_live_set_expect(live, kp_decode_id(*record.free));
    if (type != KP_REC_ALLOC)
        return;
    __builtin_prefetch(kp_process_node_at(run->process, record.alloc->node));
    kp_live_set_expect(live, KP_SAMPLE_ID((uint64_t)run->slot, ahead->births));
    ahead->births++;
}

static const struct kp_live_sample *dying(const struct kp_slot_run *run, int type,
                                          union kp_record record)
{
    return type == KP_REC_FREE ? kp_live_set_find(&run->process->live, kp_decode_id(*record.free))
                               : NULL;
}

static void expect_site(const struct kp_slot_run *run, int type, union kp_record record)
{
    const struct kp_live_sample *sample = dying(run, type, record);
    const struct kp_node *node =
        type == KP_REC_ALLOC ? kp_process_node_at(run->process, record.alloc->node) : NULL;
    const struct kp_site_sums *site = sample ? sample->site : node ? node->site : NULL;

    for (size_t at = 0; site && at < sizeof *site; at += 64)
        __builtin_prefetch((const char *)site + at, 1);
}

static void expect_age(const struct kp_lifetimes *lifetimes, enum kp_age_unit unit, uint64_t age)
{
    unsigned at = kp_log2_age(age);

    if (at < lifetimes->count[unit])
        __builtin_prefetch(&lifetimes->cells[unit][at], 1);
}

static void expect_ages(const struct kp_slot_run *run, const struct kp_live_sample *sample)
{
    if (!sample)
        return;
    expect_age(&sample->site->lifetimes, KP_AGE_TIME, run->chunk->time_us - sample->born_us);
    expect_age(&sample->site->lifetimes, KP_AGE_ITERATION,
               run->chunk->iteration - sample->born_iteration);
}

static void step(struct kp_ingest_ahead *ahead, const struct kp_slot_run *run, int stage)
{
    union kp_record record;
    int type = kp_decode_next(&ahead->readers[stage], &record);

    if (type <= 0)
        return;
    if (stage == 0)
        expect_first(ahead, run, type, record);
    else if (stage == 1)
        expect_site(run, type, record);
    else
        expect_ages(run, dying(run, type, record));
}

void kp_ingest_ahead_begin(struct kp_ingest_ahead *ahead, const struct kp_slot_run *run,
                           const struct kp_decode_records *records)
{
    ahead->births = run->chunk->first_sample + run->chunk->samples;
    for (int stage = 0; stage < KP_AHEAD_STAGES; stage++) {
        ahead->readers[stage] = *records;
        for (int i = 0; i < (KP_AHEAD_STAGES - stage) * APART; i++)
            step(ahead, run, stage);
    }
}

void kp_ingest_ahead_step(struct kp_ingest_ahead *ahead, const struct kp_slot_run *run)
{
    for (int stage = 0; stage < KP_AHEAD_STAGES; stage++)
        step(ahead, run, stage);
}
