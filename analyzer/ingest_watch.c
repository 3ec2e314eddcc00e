/* SPDX-License-Identifier: MIT */
/*
 * Which recorded processes still run, and readings of their memory. What is found dead here is read
 * to its end by the next round, whose snapshot is taken after it was found dead.
 */
#include "ingest.h"

#define DETAIL_PERIOD_US 1000000u
#define DETAIL_FIRST_US 50000u /* periods of a young process are as long as it has lived */
#define DETAIL_SHARE 250 /* at most 1/250 of the time goes into detailed readings */

static uint64_t period(const struct kp_recorded *process, uint64_t now_us)
{
    uint64_t joined_us = process->info.joined_ns / 1000;
    uint64_t age_us = now_us > joined_us ? now_us - joined_us : 0;

    return age_us < DETAIL_FIRST_US    ? DETAIL_FIRST_US
           : age_us < DETAIL_PERIOD_US ? age_us
                                       : DETAIL_PERIOD_US;
}

static void take_reading(struct kp_ingest *ingest, struct kp_recorded *process, uint64_t now_us)
{
    struct kp_reading reading = {
        .time_us = now_us, .rss = process->watched.rss, .threads = process->watched.threads};

    if (now_us >= process->detail_due_us) {
        uint64_t running = ingest->process_count;

        kp_outside_read(&process->outside, process->watched.outer_pid, &reading);
        uint64_t took_us = kp_watch_now_us(&ingest->watch) - now_us;
        ingest->detail_us += took_us;
        uint64_t pause_us = took_us * DETAIL_SHARE * running, period_us = period(process, now_us);
        process->detail_due_us = now_us + (pause_us > period_us ? pause_us : period_us);
    }
    kp_memory_series_add(&process->memory, &reading);
    ingest->is_changed = true;
}

/* Process 1 of a container waits for us at its exit, as everything dies with it. */
static bool waits_for_us(const struct kp_recorded *process)
{
    return process->watched.pid == 1 && process->info.end == KP_END_EXIT;
}

static void look(struct kp_ingest *ingest, struct kp_recorded *process, bool with_memory,
                 uint64_t now_us)
{
    if (waits_for_us(process) || !kp_watch_is_alive(&ingest->watch, &process->watched)) {
        process->watched.dead = true;
        if (process->was_seen && !process->ended_us)
            process->ended_us = now_us;
        return;
    }
    process->was_seen = true;
    if (with_memory && kp_memory_series_is_due(&process->memory, now_us))
        take_reading(ingest, process, now_us);
}

void kp_ingest_watch(struct kp_ingest *ingest, bool with_memory)
{
    for (uint32_t i = 0; i < ingest->process_count; i++) {
        struct kp_recorded *process = ingest->processes[i];

        if (!process->watched.dead && (with_memory || process->info.end == KP_END_EXIT))
            look(ingest, process, with_memory, kp_watch_now_us(&ingest->watch));
    }
}
