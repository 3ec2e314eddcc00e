/* SPDX-License-Identifier: MIT */
/*
 * Following a main thread from sample to sample, see phases.h; phases_sum.c makes the result. Only
 * start-up and imports are measured by samples. What is left is divided by the times of the marks,
 * so that it does not matter which thread marks, or whether the main one sleeps meanwhile.
 */
#include "phases.h"

#include "alloc.h"
#include "import_name.h"

#include <stdio.h>
#include <stdlib.h>

void kp_phases_release(struct kp_phases *phases)
{
    kp_import_table_release(&phases->modules);
    free(phases->open);
    *phases = (struct kp_phases){0};
}

static enum kp_marked marked(uint64_t marks)
{
    return marks < KP_MORE_MARKS ? (enum kp_marked)marks : KP_MORE_MARKS;
}

static void start(struct kp_phases *phases, int64_t time_us)
{
    phases->is_started = true;
    phases->started_us = time_us;
}

/* The time up to a moment goes to the import that the last sample was in. */
static void charge_last(struct kp_phases *phases, double us)
{
    struct kp_phase_sums time = {.us = us};

    if (!phases->open_count || us <= 0)
        return;
    kp_phase_sums_add(&phases->imports[phases->last_marked], &time);
    if (phases->last_module)
        kp_import_table_add(&phases->modules, phases->last_module, &time);
    else
        kp_phase_sums_add(&phases->open[phases->open_count - 1].pending, &time);
}

static void give_pending(struct kp_phases *phases, struct kp_open_import *open, uint32_t module)
{
    if (open->pending.us > 0 || open->pending.count > 0)
        kp_import_table_add(&phases->modules, module, &open->pending);
    open->pending = (struct kp_phase_sums){0};
}

/* The row of an import that shows no name, from those that are open around it. */
static uint32_t unnamed(const struct kp_phases *phases, struct kp_import_contexts *contexts,
                        uint32_t around)
{
    const char *importer = KP_PHASES_PROGRAM;
    char name[KP_IMPORT_NAME_BYTES + sizeof KP_PHASES_UNNAMED];

    while (around && !phases->open[around - 1].module)
        around--;
    if (around)
        importer = contexts->names[phases->open[around - 1].module];
    snprintf(name, sizeof name, KP_PHASES_UNNAMED, importer);
    return kp_import_name_number(contexts, name);
}

static void close_down_to(struct kp_phases *phases, struct kp_import_contexts *contexts,
                          uint32_t depth)
{
    while (phases->open_count > depth) {
        struct kp_open_import *open = &phases->open[--phases->open_count];

        give_pending(phases, open,
                     open->module ? open->module
                                  : unnamed(phases, contexts, phases->open_count));
    }
}

/* How many of the open imports are still there, when `place` is the innermost now. */
static uint32_t common_depth(const struct kp_phases *phases,
                             const struct kp_import_contexts *contexts, uint32_t place)
{
    for (; place; place = contexts->places[place].outer) {
        uint32_t depth = contexts->places[place].depth;

        if (depth <= phases->open_count && phases->open[depth - 1].place == place)
            return depth;
    }
    return 0;
}

/* Makes the open imports those of this context. */
static void reopen(struct kp_phases *phases, struct kp_import_contexts *contexts,
                   const struct kp_import_context *context)
{
    uint32_t depth = context->place ? contexts->places[context->place].depth : 0;
    uint32_t module = context->module, common = common_depth(phases, contexts, context->place);

    close_down_to(phases, contexts, common);
    phases->open =
        kp_array_grow(phases->open, &phases->open_capacity, depth, sizeof *phases->open);
    phases->open_count = depth;
    for (uint32_t place = context->place; place; place = contexts->places[place].outer) {
        const struct kp_import_place *at = &contexts->places[place];
        struct kp_open_import *open = &phases->open[at->depth - 1];

        if (at->depth > common)
            *open = (struct kp_open_import){.place = place};
        if (module) {
            open->module = module;
            give_pending(phases, open, module);
        }
        module = contexts->contexts[at->below].module;
    }
}

static void note_program(struct kp_phases *phases, const struct kp_import_context *context,
                         int64_t middle_us)
{
    bool is_in_program = context->program && context->program == phases->program;

    if (is_in_program)
        phases->program_end_us = phases->last_us;
    else if (phases->is_in_program)
        phases->program_end_us = middle_us;
    phases->is_in_program = is_in_program;
}

/* The main thread is in this context now. Returns the middle of the time since the last one. */
static int64_t move_to(struct kp_phases *phases, struct kp_import_contexts *contexts,
                       const struct kp_import_context *context, uint64_t us, uint64_t marks)
{
    int64_t time_us = (int64_t)us > phases->last_us ? (int64_t)us : phases->last_us;
    double half = (double)(time_us - phases->last_us) / 2;
    int64_t middle_us = phases->last_us + (int64_t)half;

    if (!phases->is_started && context->program)
        start(phases, middle_us);
    if (phases->is_started) {
        charge_last(phases, half);
        reopen(phases, contexts, context);
    }
    phases->last_marked = marked(marks);
    phases->last_module = context->module;
    charge_last(phases, half);
    phases->last_us = time_us;
    return middle_us;
}

static void take_time(struct kp_phases *phases, struct kp_import_contexts *contexts,
                      const struct kp_phases_life *life, const struct kp_phases_sample *sample)
{
    const struct kp_import_context *context = &contexts->contexts[sample->stack];

    if (!phases->has_last)
        phases->last_us = life->start_us + (int64_t)phases->loaded_us;
    phases->has_last = true;
    phases->shows_python |= context->is_python;
    if (!phases->program)
        phases->program = context->program;
    int64_t middle_us = move_to(phases, contexts, context, sample->time_us, sample->iteration);
    note_program(phases, context, middle_us);
}

static void take_memory(struct kp_phases *phases, struct kp_import_contexts *contexts,
                        const struct kp_phases_sample *sample)
{
    const struct kp_import_context *context = &contexts->contexts[sample->stack];
    struct kp_phase_sums memory = {0, sample->bytes, sample->count};
    uint32_t module = context->module;

    if (!phases->is_started) {
        kp_phase_sums_add(&phases->start_up, &memory);
    } else if (!context->place) {
        kp_phase_sums_add(&phases->others[marked(sample->iteration)], &memory);
    } else {
        kp_phase_sums_add(&phases->imports[marked(sample->iteration)], &memory);
        if (!module && sample->is_main)
            kp_phase_sums_add(&phases->open[phases->open_count - 1].pending, &memory);
        else
            kp_import_table_add(&phases->modules, module ? module : unnamed(phases, contexts, 0),
                                &memory);
    }
}

void kp_phases_sample(struct kp_phases *phases, struct kp_import_contexts *contexts,
                      const struct kp_phases_life *life, const struct kp_phases_sample *sample)
{
    kp_import_context_of(contexts, sample->stack);
    phases->dirty = true;
    if (!phases->is_started && life->is_forked)
        start(phases, life->start_us);
    if (!phases->is_started && sample->iteration)
        start(phases, (int64_t)sample->time_us);
    if (sample->is_main)
        take_time(phases, contexts, life, sample);
    if (sample->is_memory)
        take_memory(phases, contexts, sample);
}

void kp_phases_mark(struct kp_phases *phases, uint64_t iteration, uint64_t time_us)
{
    struct kp_mark_time mark = {iteration, (int64_t)time_us};

    phases->dirty = true;
    if (!phases->is_started)
        start(phases, mark.time_us);
    if (!phases->first_mark.iteration || iteration < phases->first_mark.iteration)
        phases->first_mark = mark;
    if (iteration > 1 &&
        (!phases->second_mark.iteration || iteration < phases->second_mark.iteration))
        phases->second_mark = mark;
    if (iteration > phases->last_mark.iteration)
        phases->last_mark = mark;
}

void kp_phases_main_mark(struct kp_phases *phases, struct kp_import_contexts *contexts,
                         uint64_t iteration, uint64_t time_us)
{
    kp_phases_mark(phases, iteration, time_us);
    if (phases->has_last)
        move_to(phases, contexts, kp_import_context_of(contexts, 0), time_us, iteration);
    if (phases->is_in_program)
        phases->program_end_us = phases->last_us;
}

void kp_phases_first_begin(struct kp_phases *phases, struct kp_import_contexts *contexts,
                           uint64_t time_us)
{
    if (phases->first_mark.iteration || phases->has_first_begin)
        return;
    phases->dirty = true;
    if (!phases->is_started)
        start(phases, (int64_t)time_us);
    if (contexts && phases->has_last)
        move_to(phases, contexts, kp_import_context_of(contexts, 0), time_us, 0);
    phases->has_first_begin = true;
    phases->first_begin_us = (int64_t)time_us;
    phases->set_up_imports = phases->imports[KP_NO_MARK];
    phases->set_up = phases->others[KP_NO_MARK];
    phases->imports[KP_NO_MARK] = phases->others[KP_NO_MARK] = (struct kp_phase_sums){0};
}

void kp_phases_end(struct kp_phases *phases, struct kp_import_contexts *contexts,
                   const struct kp_phases_life *life)
{
    double left = (double)(life->end_us - phases->last_us);

    charge_last(phases, life->is_exit ? left / 2 : left);
    close_down_to(phases, contexts, 0);
    phases->dirty = true;
}

void kp_phases_loaded(struct kp_phases *phases, struct kp_import_contexts *contexts)
{
    struct kp_phase_sums rest = phases->loaded[KP_PHASE_IMPORTS];

    for (uint32_t i = 1; i <= phases->modules.count; i++) {
        const struct kp_phase_sums *sums = &phases->modules.rows[i].sums;

        kp_phase_sums_add(&rest, &(struct kp_phase_sums){-sums->us, -sums->bytes, -sums->count});
    }
    kp_phases_settle(phases);
    if (rest.us >= 1 || rest.count >= 1)
        kp_import_table_add(&phases->modules, unnamed(phases, contexts, 0), &rest);
}

void kp_phases_settle(struct kp_phases *phases)
{
    phases->dirty = false;
    kp_import_table_settle(&phases->modules);
}
