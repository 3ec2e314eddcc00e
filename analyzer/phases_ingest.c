/* SPDX-License-Identifier: MIT */
/*
 * Phases as part of the ingest: what a process's samples say to them, and their rows. One thread.
 */
#include "ingest.h"

static struct kp_phases_life life_of(const struct kp_recorded *process)
{
    const struct kp_process_info *info = &process->info;
    bool is_exit = process->end && info->end == KP_END_EXIT;
    uint64_t gone_us = process->end ? process->ended_us : 0;
    uint64_t end_us = process->end ? process->ended_us : process->last_us;
    int64_t joined_us = (int64_t)(info->joined_ns / 1000);

    if (is_exit && info->ended_ns / 1000 < end_us)
        end_us = info->ended_ns / 1000;

    return (struct kp_phases_life){
        .start_us = joined_us - (int64_t)(info->before_join_ns / 1000),
        .end_us = (int64_t)end_us > joined_us ? (int64_t)end_us : joined_us,
        .gone_us = (int64_t)gone_us,
        .is_python = process->python && process->python[0],
        .is_forked = info->origin == KP_ORIGIN_FORK,
        .is_exit = is_exit,
    };
}

void kp_ingest_phases_sample(struct kp_ingest *ingest, struct kp_recorded *process,
                             const struct kp_live_sample *sample)
{
    struct kp_phases_life life = life_of(process);
    struct kp_phases_sample what = {
        .is_main = sample->thread->tid == process->watched.pid,
        .is_memory = kp_kind_is_memory(sample->site->kind),
        .stack = sample->site->stack,
        .time_us = sample->born_us,
        .iteration = sample->born_iteration,
        .bytes = (double)sample->size * sample->weight,
        .count = sample->weight,
    };

    kp_phases_sample(&process->phases, &ingest->contexts, &life, &what);
}

void kp_ingest_phases_end(struct kp_ingest *ingest, struct kp_recorded *process)
{
    struct kp_phases_life life = life_of(process);

    kp_phases_end(&process->phases, &ingest->contexts, &life);
}

void kp_ingest_phases_mark(struct kp_ingest *ingest, struct kp_recorded *process,
                           const struct kp_mark_row *mark, bool is_begin)
{
    process->phases.is_begin_marked = is_begin;
    if (mark->thread->tid == process->watched.pid)
        kp_phases_main_mark(&process->phases, &ingest->contexts, mark->iteration, mark->time_us);
    else
        kp_phases_mark(&process->phases, mark->iteration, mark->time_us);
}

void kp_ingest_phases_begin(struct kp_ingest *ingest, struct kp_recorded *process,
                            const struct kp_mark_row *mark)
{
    bool is_main = mark->thread->tid == process->watched.pid;

    kp_phases_first_begin(&process->phases, is_main ? &ingest->contexts : NULL, mark->time_us);
}

static void write_imports(struct kp_ingest *ingest, const struct kp_recorded *process)
{
    const struct kp_import_table *modules = &process->phases.modules;

    for (uint32_t i = 1; i <= modules->count; i++) {
        const struct kp_import_row *row = &modules->rows[i];

        if (row->dirty)
            kp_store_run(ingest->store, KP_SQL_IMPORT, "itddd", (int64_t)process->number,
                         row->module ? ingest->contexts.names[row->module] : KP_IMPORT_OTHERS,
                         row->sums.us / 1e6, row->sums.bytes, row->sums.count);
    }
}

void kp_ingest_phases_write(struct kp_ingest *ingest, const struct kp_recorded *process)
{
    struct kp_phases_life life = life_of(process);
    struct kp_phase_sums sums[KP_PHASE_COUNT];

    if (!process->phases.dirty || !kp_phases_sum(&process->phases, &life, sums))
        return;
    for (int phase = 0; phase < KP_PHASE_COUNT; phase++)
        if (sums[phase].us > 0 || sums[phase].count > 0)
            kp_store_run(ingest->store, KP_SQL_PHASE, "itddd", (int64_t)process->number,
                         kp_phase_name((enum kp_phase)phase), sums[phase].us / 1e6,
                         sums[phase].bytes, sums[phase].count);
    write_imports(ingest, process);
}
