/* SPDX-License-Identifier: MIT */
/*
 * What a comparison says: each configuration's medians with their intervals, its ratios to the
 * baseline, and the verdict. A switch is advised only when both memory and time are surely no worse
 * than the rule allows; with a leak no allocator helps. Pure functions, any thread.
 */
#ifndef KP_AB_SUMMARY_H
#define KP_AB_SUMMARY_H

#include "ab_comparison.h"
#include "estimate.h"

/* The rule: the upper ends of the two ratios. */
#define KP_AB_MEMORY_BELOW 0.9
#define KP_AB_TIME_BELOW 1.03
/* Fewer good runs than that prove nothing. */
#define KP_AB_RUNS_NEEDED 4

struct kp_ab_row {
    size_t good_runs, failed_runs;
    struct kp_estimate figures[KP_AB_FIGURE_COUNT]; /* medians */
    struct kp_estimate ratios[KP_AB_FIGURE_COUNT];  /* to the baseline's */
};

/* The figure of time that a comparison is judged by: per iteration where there are any. It is the
 * mean: threads that wait for each other make the median jump. */
enum kp_ab_figure kp_ab_time_figure(const struct kp_ab_comparison *comparison);
/* The first configuration that is not recorded and has the same swept values as `like`. */
size_t kp_ab_baseline(const struct kp_ab_comparison *comparison, size_t like);
void kp_ab_summarise(const struct kp_ab_comparison *comparison, size_t configuration,
                     struct kp_ab_row *row);

enum kp_ab_verdict_kind {
    KP_AB_SWITCH,      /* choice is better */
    KP_AB_NO_EVIDENCE, /* nothing is surely better */
    KP_AB_TOO_FEW,     /* too few good runs to say */
};
struct kp_ab_verdict {
    enum kp_ab_verdict_kind kind;
    size_t choice;   /* index, of KP_AB_SWITCH; else the baseline */
    bool is_leak;    /* live memory grows in every recorded run */
    struct kp_estimate live_slope; /* bytes per iteration; value NAN: not known */
};
/* rows: one for each configuration. */
struct kp_ab_verdict kp_ab_judge(const struct kp_ab_comparison *comparison,
                                 const struct kp_ab_row *rows);

/* What the recorded runs of the baseline cost: ratio of the medians of time. */
struct kp_estimate kp_ab_probe_effect(const struct kp_ab_comparison *comparison,
                                      const struct kp_ab_row *rows);

#endif
