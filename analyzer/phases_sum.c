/* SPDX-License-Identifier: MIT */
/*
 * The division of a life into phases, see phases.h. Each phase takes at most what those before it
 * have left, in the order start-up, imports, cold, warm; "other" is the rest. So the times add up
 * to the life whatever was recorded.
 */
#include "phases.h"

#include <math.h>
#include <string.h>

static const char *const names[KP_PHASE_COUNT] = {
    [KP_PHASE_START_UP] = "start-up", [KP_PHASE_IMPORTS] = "imports", [KP_PHASE_COLD] = "cold",
    [KP_PHASE_WARM] = "warm",         [KP_PHASE_OTHER] = "other",
};

const char *kp_phase_name(enum kp_phase phase)
{
    return names[phase];
}

enum kp_phase kp_phase_from_name(const char *name)
{
    for (int phase = 0; phase < KP_PHASE_COUNT; phase++)
        if (!strcmp(names[phase], name))
            return (enum kp_phase)phase;
    return KP_PHASE_COUNT;
}

/* The part of the life that is divided: what a killed collector has not done already. */
struct window {
    double from, to;
};

static double part_in(const struct window *window, double from, double to)
{
    return fmax(0, fmin(to, window->to) - fmax(from, window->from));
}

/* When the cold and the warm iterations ran, and which marks had been set meanwhile. */
struct division {
    double cold_from, cold_to, warm_from, warm_to;
    enum kp_marked of_cold;
    bool is_warm;
};

/* The end of a single iteration, or of the last one, is not marked. The single one lasts to the end
 * of the program's own code; after its last sample the interpreter has half of the time that is
 * left to shut down. */
static double single_end(const struct kp_phases *phases, const struct kp_phases_life *life)
{
    double end = (double)life->end_us;

    if (!phases->program || phases->program_end_us <= phases->first_mark.time_us)
        return end;
    if (!phases->is_in_program)
        return (double)phases->program_end_us;
    return life->is_exit ? ((double)phases->program_end_us + end) / 2 : end;
}

/* The last one is given the mean length of the warm ones before it, or that of the cold one. */
static double last_end(const struct kp_phases *phases)
{
    const struct kp_mark_time *second = &phases->second_mark, *last = &phases->last_mark;

    if (last->iteration > second->iteration)
        return (double)last->time_us + (double)(last->time_us - second->time_us) /
                                           (double)(last->iteration - second->iteration);
    return (double)(2 * second->time_us - phases->first_mark.time_us);
}

static struct division divide_by_begins(const struct kp_phases *phases,
                                        const struct kp_phases_life *life)
{
    struct division by = {.of_cold = KP_ONE_MARK};

    by.cold_from = (double)phases->first_mark.time_us;
    by.cold_to = single_end(phases, life);
    by.is_warm = phases->second_mark.iteration != 0;
    if (by.is_warm) {
        by.cold_to = by.warm_from = (double)phases->second_mark.time_us;
        by.warm_to = last_end(phases);
    }
    return by;
}

/* Where the begin of the first iteration is not marked, it has all that goes before its end. */
static struct division divide_by_ends(const struct kp_phases *phases, const struct window *window)
{
    struct division by = {.of_cold = KP_NO_MARK};

    by.cold_from = phases->has_first_begin ? (double)phases->first_begin_us : window->from;
    by.cold_to = by.warm_from = (double)phases->first_mark.time_us;
    by.warm_to = (double)phases->last_mark.time_us;
    by.is_warm = phases->second_mark.iteration != 0;
    return by;
}

static struct division divide(const struct kp_phases *phases, const struct kp_phases_life *life,
                              const struct window *window)
{
    if (!phases->first_mark.iteration)
        return (struct division){.of_cold = KP_ONE_MARK};
    return phases->is_begin_marked ? divide_by_begins(phases, life)
                                   : divide_by_ends(phases, window);
}

/* Which phase has what was allocated after so many marks. */
static enum kp_phase phase_of(const struct kp_phases *phases, const struct division *by,
                              enum kp_marked marks)
{
    if (!phases->first_mark.iteration)
        return KP_PHASE_OTHER;
    if (marks == by->of_cold)
        return KP_PHASE_COLD;
    return marks > by->of_cold && by->is_warm ? KP_PHASE_WARM : KP_PHASE_OTHER;
}

static void sum_memory(const struct kp_phases *phases, const struct division *by, bool is_python,
                       struct kp_phase_sums sums[KP_PHASE_COUNT])
{
    enum kp_phase early = is_python ? KP_PHASE_START_UP : phase_of(phases, by, KP_NO_MARK);

    kp_phase_sums_add(&sums[early], &phases->start_up);
    kp_phase_sums_add(&sums[KP_PHASE_OTHER], &phases->set_up);
    sums[KP_PHASE_IMPORTS].bytes += phases->set_up_imports.bytes;
    sums[KP_PHASE_IMPORTS].count += phases->set_up_imports.count;
    for (int i = 0; i < KP_MARKED; i++) {
        sums[KP_PHASE_IMPORTS].bytes += phases->imports[i].bytes;
        sums[KP_PHASE_IMPORTS].count += phases->imports[i].count;
        kp_phase_sums_add(&sums[phase_of(phases, by, (enum kp_marked)i)], &phases->others[i]);
    }
}

static double take(double *left, double us)
{
    double taken = fmin(*left, fmax(0, us));

    *left -= taken;
    return taken;
}

static double imports_us(const struct kp_phases *phases, int from, int to)
{
    double us = 0;

    for (int i = from; i <= to; i++)
        us += phases->imports[i].us;
    return us;
}

static void sum_iterations(const struct kp_phases *phases, const struct division *by,
                           const struct window *window, double *left,
                           struct kp_phase_sums sums[KP_PHASE_COUNT])
{
    sums[KP_PHASE_COLD].us += take(left, part_in(window, by->cold_from, by->cold_to) -
                                             phases->imports[by->of_cold].us);
    sums[KP_PHASE_WARM].us +=
        take(left, part_in(window, by->warm_from, by->warm_to) -
                       imports_us(phases, (int)by->of_cold + 1, KP_MORE_MARKS));
    sums[KP_PHASE_OTHER].us += *left;
}

bool kp_phases_sum(const struct kp_phases *phases, const struct kp_phases_life *life,
                   struct kp_phase_sums sums[KP_PHASE_COUNT])
{
    bool is_python = life->is_python && phases->shows_python;

    if (!is_python && !phases->first_mark.iteration)
        return false;
    struct window window = {(double)life->start_us + phases->loaded_us, (double)life->end_us};
    double left = fmax(0, window.to - window.from);
    double started = phases->is_started ? (double)phases->started_us : window.to;

    memcpy(sums, phases->loaded, sizeof phases->loaded);
    if (is_python && !life->is_forked) {
        sums[KP_PHASE_START_UP].us += take(&left, started - window.from);
        window.from = fmax(window.from, fmin(started, window.to));
    }
    struct division by = divide(phases, life, &window);
    sums[KP_PHASE_IMPORTS].us += take(&left, phases->set_up_imports.us +
                                                 imports_us(phases, KP_NO_MARK, KP_MORE_MARKS));
    sum_iterations(phases, &by, &window, &left, sums);
    sums[KP_PHASE_OTHER].us += fmax(0, (double)(life->gone_us - life->end_us));
    sum_memory(phases, &by, is_python, sums);
    return true;
}

void kp_phases_load(struct kp_phases *phases, enum kp_phase phase, const struct kp_phase_sums *what)
{
    kp_phase_sums_add(&phases->loaded[phase], what);
    phases->loaded_us += what->us;
    if (phase == KP_PHASE_START_UP || phase == KP_PHASE_IMPORTS)
        phases->shows_python = true;
    if (phase != KP_PHASE_START_UP)
        phases->is_started = true;
}
