/* SPDX-License-Identifier: MIT */
/*
 * Without marks a run is judged by slices of time, whose width is that of the run: nobody can
 * compare a rate per slice with anything. Once all is decided rates become those per second, and
 * moments seconds since the start of the process. One thread.
 */
#include "query_leaks.h"

static void scale_rate(struct kp_estimate *rate, double by)
{
    *rate = (struct kp_estimate){rate->value * by, rate->low * by, rate->high * by};
}

static void scale_trend(struct kp_trend *trend, double slice_s)
{
    scale_rate(&trend->rate, 1 / slice_s);
    trend->error /= slice_s;
    trend->start *= slice_s;
}

static void scale_cohort(struct kp_cohort *cohort, double slice_s)
{
    scale_rate(&cohort->rate, 1 / slice_s);
    cohort->error /= slice_s;
    cohort->onset *= slice_s;
    cohort->guard *= slice_s;
    cohort->full_after *= slice_s;
    cohort->needed *= slice_s;
}

void kp_leaks_to_seconds(struct kp_leaks *leaks)
{
    double slice_s = leaks->slice_s;
    struct kp_trend *const trends[] = {&leaks->rss, &leaks->live, &leaks->held, &leaks->other};
    for (int i = 0; i < 4; i++)
        scale_trend(trends[i], slice_s);
    for (size_t i = 0; i < leaks->site_count; i++)
        scale_cohort(&leaks->sites[i].cohort, slice_s);
    scale_rate(&leaks->rate, 1 / slice_s);
    scale_rate(&leaks->named, 1 / slice_s);
    leaks->measured.value /= slice_s;
    leaks->measured.error /= slice_s;
    leaks->detectable /= slice_s;
    leaks->onset *= slice_s;
    leaks->needed *= slice_s;
    leaks->iterations *= slice_s;
    leaks->begin *= slice_s;
    leaks->end *= slice_s;
    leaks->per_second = 1;
}
