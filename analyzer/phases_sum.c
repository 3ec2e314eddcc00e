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

static double cold_end(const struct kp_phases *phases, const struct window *window)
{
    if (phases->second_mark.iteration)
        return (double)phases->second_mark.time_us;
    if (!phases->program || phases->is_in_program ||
        phases->program_end_us <= phases->first_mark.time_us)
        return window->to;
    return (double)phases->program_end_us;
}

/* The end of the last iteration is not marked: it is given the mean length of the warm ones before
 * it, or that of the cold one. */
static double warm_end(const struct kp_phases *phases)
{
    const struct kp_mark_time *second = &phases->second_mark, *last = &phases->last_mark;

    if (last->iteration > second->iteration)
        return (double)last->time_us + (double)(last->time_us - second->time_us) /
                                           (double)(last->iteration - second->iteration);
    return (double)(2 * second->time_us - phases->first_mark.time_us);
}

static void sum_memory(const struct kp_phases *phases, bool is_python,
                       struct kp_phase_sums sums[KP_PHASE_COUNT])
{
    kp_phase_sums_add(&sums[is_python ? KP_PHASE_START_UP : KP_PHASE_OTHER], &phases->start_up);
    for (int i = 0; i < KP_ITERATIONS; i++) {
        sums[KP_PHASE_IMPORTS].bytes += phases->imports[i].bytes;
        sums[KP_PHASE_IMPORTS].count += phases->imports[i].count;
    }
    kp_phase_sums_add(&sums[KP_PHASE_OTHER], &phases->others[KP_NO_ITERATION]);
    kp_phase_sums_add(&sums[KP_PHASE_COLD], &phases->others[KP_FIRST_ITERATION]);
    kp_phase_sums_add(&sums[KP_PHASE_WARM], &phases->others[KP_LATER_ITERATIONS]);
}

static double take(double *left, double us)
{
    double taken = fmin(*left, fmax(0, us));

    *left -= taken;
    return taken;
}

static void sum_time(const struct kp_phases *phases, const struct kp_phases_life *life,
                     struct kp_phase_sums sums[KP_PHASE_COUNT])
{
    struct window window = {(double)life->start_us + phases->loaded_us, (double)life->end_us};
    const struct kp_phase_sums *imports = phases->imports;
    double left = fmax(0, window.to - window.from);
    double started = phases->is_started ? (double)phases->started_us : window.to;

    if (life->is_python && !life->is_forked) {
        sums[KP_PHASE_START_UP].us += take(&left, started - window.from);
        window.from = fmax(window.from, fmin(started, window.to));
    }
    sums[KP_PHASE_IMPORTS].us += take(&left, imports[KP_NO_ITERATION].us +
                                                 imports[KP_FIRST_ITERATION].us +
                                                 imports[KP_LATER_ITERATIONS].us);
    if (phases->first_mark.iteration)
        sums[KP_PHASE_COLD].us +=
            take(&left, part_in(&window, (double)phases->first_mark.time_us,
                                cold_end(phases, &window)) -
                            imports[KP_FIRST_ITERATION].us);
    if (phases->second_mark.iteration)
        sums[KP_PHASE_WARM].us +=
            take(&left, part_in(&window, (double)phases->second_mark.time_us, warm_end(phases)) -
                            imports[KP_LATER_ITERATIONS].us);
    sums[KP_PHASE_OTHER].us += left;
}

bool kp_phases_sum(const struct kp_phases *phases, const struct kp_phases_life *life,
                   struct kp_phase_sums sums[KP_PHASE_COUNT])
{
    if (!life->is_python && !phases->first_mark.iteration)
        return false;
    memcpy(sums, phases->loaded, sizeof phases->loaded);
    sum_memory(phases, life->is_python, sums);
    sum_time(phases, life, sums);
    return true;
}

void kp_phases_load(struct kp_phases *phases, enum kp_phase phase, const struct kp_phase_sums *what)
{
    kp_phase_sums_add(&phases->loaded[phase], what);
    phases->loaded_us += what->us;
    if (phase != KP_PHASE_START_UP)
        phases->is_started = true;
}
