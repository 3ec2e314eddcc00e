/* SPDX-License-Identifier: MIT */
/*
 * See ab_summary.h. Of several that pass the rule, the one with the least steady memory is advised.
 */
#include "ab_summary.h"

#include "alloc.h"
#include "bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has_same_sweep(const struct kp_ab_configuration *a, const struct kp_ab_configuration *b)
{
    for (size_t i = 0; i < a->setting_count; i++) {
        if (!a->settings[i].is_swept)
            continue;
        const char *other = kp_ab_setting(b, a->settings[i].name);
        if (!other || strcmp(other, a->settings[i].value) != 0)
            return false;
    }
    return true;
}

size_t kp_ab_baseline(const struct kp_ab_comparison *comparison, size_t like)
{
    for (size_t i = 0; i < comparison->configuration_count; i++)
        if (!comparison->configurations[i].is_recorded &&
            has_same_sweep(&comparison->configurations[i], &comparison->configurations[like]))
            return i;
    return like;
}

enum kp_ab_figure kp_ab_time_figure(const struct kp_ab_comparison *comparison)
{
    for (size_t i = 0; i < comparison->run_count; i++)
        if (comparison->runs[i].round >= 0 && comparison->runs[i].figures[KP_AB_ITERATIONS] >= 2 &&
            isfinite(comparison->runs[i].figures[KP_AB_TIME]))
            return KP_AB_TIME;
    return KP_AB_WALL;
}

void kp_ab_summarise(const struct kp_ab_comparison *comparison, size_t configuration,
                     struct kp_ab_row *row)
{
    size_t baseline = kp_ab_baseline(comparison, configuration);
    double *values = kp_alloc((comparison->run_count + 1) * sizeof *values);
    double *base = kp_alloc((comparison->run_count + 1) * sizeof *base);
    row->good_runs = kp_ab_good_runs(comparison, configuration);
    row->failed_runs = kp_ab_failed_runs(comparison, configuration);
    for (int i = 0; i < KP_AB_FIGURE_COUNT; i++) {
        size_t count = kp_ab_values(comparison, configuration, (enum kp_ab_figure)i, values);
        size_t base_count = kp_ab_values(comparison, baseline, (enum kp_ab_figure)i, base);
        row->figures[i] = kp_bootstrap_median(values, count);
        row->ratios[i] = kp_bootstrap_ratio(values, count, base, base_count);
    }
    free(values);
    free(base);
}

static bool passes(const struct kp_ab_row *row, enum kp_ab_figure time)
{
    return row->good_runs >= KP_AB_RUNS_NEEDED && row->failed_runs == 0 &&
           row->ratios[KP_AB_STEADY_RSS].high < KP_AB_MEMORY_BELOW &&
           row->ratios[time].high < KP_AB_TIME_BELOW;
}

/* The leak report has found growth in so many recorded runs that no lower end is 0. */
static void judge_leak(const struct kp_ab_comparison *comparison, const struct kp_ab_row *rows,
                       struct kp_ab_verdict *verdict)
{
    verdict->live_slope = (struct kp_estimate){NAN, NAN, NAN};
    for (size_t i = 0; i < comparison->configuration_count; i++) {
        if (!comparison->configurations[i].is_recorded)
            continue;
        verdict->live_slope = rows[i].figures[KP_AB_LIVE_SLOPE];
        verdict->is_leak = verdict->live_slope.low > 0;
        return;
    }
}

struct kp_ab_verdict kp_ab_judge(const struct kp_ab_comparison *comparison,
                                 const struct kp_ab_row *rows)
{
    enum kp_ab_figure time = kp_ab_time_figure(comparison);
    struct kp_ab_verdict verdict = {.kind = KP_AB_TOO_FEW, .choice = kp_ab_baseline(comparison, 0)};
    judge_leak(comparison, rows, &verdict);
    if (rows[verdict.choice].good_runs < KP_AB_RUNS_NEEDED)
        return verdict;
    double least = INFINITY;
    for (size_t i = 0; i < comparison->configuration_count; i++) {
        if (comparison->configurations[i].is_recorded || kp_ab_baseline(comparison, i) == i)
            continue;
        if (rows[i].good_runs >= KP_AB_RUNS_NEEDED && verdict.kind == KP_AB_TOO_FEW)
            verdict.kind = KP_AB_NO_EVIDENCE;
        if (passes(&rows[i], time) && rows[i].ratios[KP_AB_STEADY_RSS].value < least) {
            least = rows[i].ratios[KP_AB_STEADY_RSS].value;
            verdict.kind = KP_AB_SWITCH;
            verdict.choice = i;
        }
    }
    return verdict;
}

struct kp_estimate kp_ab_probe_effect(const struct kp_ab_comparison *comparison,
                                      const struct kp_ab_row *rows)
{
    for (size_t i = 0; i < comparison->configuration_count; i++)
        if (comparison->configurations[i].is_recorded)
            return rows[i].ratios[KP_AB_WALL];
    return (struct kp_estimate){NAN, NAN, NAN};
}
