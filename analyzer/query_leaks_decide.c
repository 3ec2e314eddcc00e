/* SPDX-License-Identifier: MIT */
/*
 * From cohorts and slopes to verdicts. A place is a leak when its cohorts are those of a leak, when
 * it stands against all other places that were looked at (Benjamini and Hochberg, 5 %), and when it
 * is large enough to matter: 16 bytes an iteration, and 1 % of the whole. The whole is as bad as
 * its worst place; its rate is the allocators' own where that can be explained by the leaking
 * places, because it is exact, and else the sum of these. One thread.
 */
#include "query_leaks.h"

#include <math.h>
#include <stdlib.h>

#define FALSE_DISCOVERIES 0.05
#define RATE_LEAST 16.0
#define RATE_LEAST_SHARE 0.01
#define LENGTH_LEAST (KP_COHORT_BATCHES + 2.0) /* iterations: shorter windows have no cohorts */
#define CLEAR_SHARE 0.8 /* the lower bound of the totals' rate, where they settle a doubt */
#define SURE_SHARE 0.95 /* the same, where no place leaks without a doubt */
#define SURELY 1.5 /* half-widths: as wide as an interval of 99.7 % */
#define CONTRADICTED_SHARE 0.5 /* of what the places would explain */
#define LITTLE_OF_RSS 0.1
#define GAP_SLACK 0.02
#define THREADS_MORE 2
#define STACKS_SHARE 0.25 /* of that growth: what we keep for each thread is in it, too */
#define MATTERS_SHARE 0.01 /* of RSS over the window: less growth is none */

static enum kp_leak_verdict verdict_of(const struct kp_cohort *cohort, bool stands, double least)
{
    switch (cohort->shape) {
    case KP_COHORT_NOTHING:
        return cohort->survivors > 0 ? KP_LEAK_UNSURE : KP_LEAK_NONE;
    case KP_COHORT_CACHE: return KP_LEAK_CACHE;
    case KP_COHORT_SLOWING: return KP_LEAK_SLOWING;
    case KP_COHORT_UNEVEN: return KP_LEAK_UNSURE;
    case KP_COHORT_LINEAR: break;
    }
    if (!stands || cohort->rate.value < least || !(cohort->rate.low > 0))
        return KP_LEAK_UNSURE;
    return cohort->survivors < KP_COHORT_SURVIVORS_SURE ? KP_LEAK_PROBABLE : KP_LEAK_SURE;
}

static bool is_linear(const struct kp_leak_site *site)
{
    return site->cohort.shape == KP_COHORT_LINEAR;
}

/* Also places with too few samples to say so. */
static bool may_be_linear(const struct kp_leak_site *site)
{
    return is_linear(site) || site->cohort.is_doubtful ||
           (site->cohort.shape == KP_COHORT_NOTHING && site->cohort.survivors > 0);
}

static bool is_leak(const struct kp_leak_site *site)
{
    return site->verdict >= KP_LEAK_PROBABLE;
}

static bool may_be_leak(const struct kp_leak_site *site)
{
    return site->verdict >= KP_LEAK_UNSURE;
}

/* Of places that are sampled independently of each other. */
static struct kp_estimate sum_rates(const struct kp_leaks *leaks,
                                    bool (*counts)(const struct kp_leak_site *site))
{
    double value = 0, below = 0, above = 0;
    for (size_t i = 0; i < leaks->site_count; i++) {
        const struct kp_estimate *rate = &leaks->sites[i].cohort.rate;
        if (!counts(&leaks->sites[i]))
            continue;
        value += rate->value;
        below = hypot(below, rate->value - rate->low);
        above = hypot(above, rate->high - rate->value);
    }
    return (struct kp_estimate){value, fmax(value - below, 0), value + above};
}

static bool are_totals_clear(const struct kp_trend *live)
{
    return live->is_known && live->grows && !live->slowing && live->no_logarithm &&
           live->rate.low > CLEAR_SHARE * live->rate.value;
}

/* What is live, from where it surely begins to grow. */
static struct kp_trend since_onset(const struct kp_leaks *leaks)
{
    if (!leaks->live.is_known || !leaks->start.begins)
        return leaks->live;
    return kp_trend_judge(leaks->points[KP_LEAK_LIVE], (size_t)leaks->readings, leaks->start.onset,
                          leaks->end, leaks->live_error);
}

static struct kp_leak_site *largest_doubtful(const struct kp_leaks *leaks, double room,
                                             bool is_alone)
{
    struct kp_leak_site *largest = NULL;
    for (size_t i = 0; i < leaks->site_count; i++) {
        struct kp_leak_site *site = &leaks->sites[i];
        if (site->cohort.is_doubtful && !is_linear(site) && site->cohort.rate.low <= room &&
            !(is_alone && site->cohort.needs_company) &&
            !(largest && site->cohort.rate.value <= largest->cohort.rate.value))
            largest = site;
    }
    return largest;
}

/* Few samples leave a gap in which it may have begun, and may seem to slow down where they do not:
 * the totals say when something begins to grow. Where births go on evenly from there, that is
 * their onset. */
static void judge_again(struct kp_leaks *leaks, double from)
{
    for (size_t i = 0; leaks->inputs && i < leaks->site_count; i++) {
        struct kp_cohort *cohort = &leaks->sites[i].cohort;
        struct kp_cohort_input input = leaks->inputs[i];
        bool is_early = cohort->shape == KP_COHORT_LINEAR && cohort->onset < from &&
                        from <= cohort->first + GAP_SLACK * leaks->iterations;
        if (!is_early && (cohort->shape == KP_COHORT_LINEAR || !cohort->is_doubtful))
            continue;
        input.grows_from = from;
        struct kp_cohort again = kp_cohort_judge(&input);
        if (again.shape != KP_COHORT_LINEAR)
            continue;
        again.shape = cohort->shape;
        again.is_doubtful = cohort->is_doubtful;
        again.needs_company = cohort->needs_company;
        *cohort = again;
    }
}

/* A leak that began before anybody looked closely resembles growth that slows down, and one leak in
 * some hundreds comes in bursts by chance; not to the allocators. Where the places explain less than
 * what surely grows along a line, and those in doubt would explain it, the largest of these leaks. */
static void settle_doubts(struct kp_leaks *leaks)
{
    const struct kp_trend all = since_onset(leaks);
    const struct kp_estimate *live = &all.rate;
    if (!are_totals_clear(&all))
        return;
    if (leaks->start.begins)
        judge_again(leaks, leaks->start.onset);
    if (sum_rates(leaks, may_be_linear).high < live->low)
        return;
    for (;;) {
        struct kp_estimate explained = sum_rates(leaks, is_linear);
        bool is_alone = explained.value <= 0 && live->low <= SURE_SHARE * live->value;
        struct kp_leak_site *site =
            largest_doubtful(leaks, live->high - explained.low, is_alone);
        if (!site || explained.high >= live->low)
            return;
        site->cohort.shape = KP_COHORT_LINEAR;
    }
}

static double rate_least(const struct kp_leaks *leaks)
{
    double all = 0;
    for (size_t i = 0; i < leaks->site_count; i++)
        if (is_linear(&leaks->sites[i]))
            all += leaks->sites[i].cohort.rate.value;
    return fmax(RATE_LEAST, RATE_LEAST_SHARE * all);
}

static void decide_sites(struct kp_leaks *leaks)
{
    double *p = calloc(leaks->site_count + 1, sizeof *p), least = rate_least(leaks);
    bool *stands = calloc(leaks->site_count + 1, sizeof *stands);
    size_t tested = 0;
    for (size_t i = 0; p && stands && i < leaks->site_count; i++)
        if (leaks->sites[i].cohort.generations >= KP_COHORT_GENERATIONS_MIN)
            p[tested++] = leaks->sites[i].cohort.p;
    if (p && stands)
        kp_benjamini_hochberg(p, tested, FALSE_DISCOVERIES, stands);
    tested = 0;
    for (size_t i = 0; i < leaks->site_count; i++) {
        struct kp_leak_site *site = &leaks->sites[i];
        bool was_tested = site->cohort.generations >= KP_COHORT_GENERATIONS_MIN;
        site->verdict =
            verdict_of(&site->cohort, stands && was_tested && stands[tested], least);
        tested += was_tested;
    }
    free(p);
    free(stands);
}

static int compare_sites(const void *left, const void *right)
{
    const struct kp_leak_site *a = left, *b = right;
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict ? -1 : 1;
    if (a->cohort.rate.value != b->cohort.rate.value)
        return a->cohort.rate.value > b->cohort.rate.value ? -1 : 1;
    return (a->stack_id > b->stack_id) - (a->stack_id < b->stack_id);
}

void kp_leaks_sort(struct kp_leaks *leaks)
{
    if (leaks->site_count > 0)
        qsort(leaks->sites, leaks->site_count, sizeof *leaks->sites, compare_sites);
}

/* The allocators count everything that stays. If that is more than the places can explain, also
 * those that have too few samples to be named, there is growth that is no leak in it; and over few
 * readings samples may be surer. */
static bool explains_all(const struct kp_leaks *leaks)
{
    const struct kp_estimate *live = &leaks->live.rate, *named = &leaks->named;
    struct kp_estimate most = sum_rates(leaks, may_be_leak);
    double high = most.value + SURELY * (most.high - most.value);
    double low = named->value - SURELY * (named->value - named->low);
    return leaks->live.is_known && leaks->live.grows && !leaks->live.slowing && live->low > 0 &&
           live->low <= high && live->high >= low &&
           live->high - live->low <= named->high - named->low;
}

/* What comes in at one place goes at others: the allocators saw next to nothing of it stay. */
static bool is_contradicted(const struct kp_leaks *leaks)
{
    return leaks->live.is_known && leaks->named.value > 0 &&
           leaks->live.rate.high < CONTRADICTED_SHARE * leaks->named.low;
}

static void withdraw(struct kp_leaks *leaks)
{
    for (size_t i = 0; i < leaks->site_count; i++)
        if (is_leak(&leaks->sites[i])) {
            leaks->sites[i].verdict = KP_LEAK_UNSURE;
            leaks->sites[i].balanced = true;
        }
    leaks->named = (struct kp_estimate){0, 0, 0};
}

/* Where little was looked at when it began, the samples leave a gap in which it may have begun; the
 * allocators say where in it. */
static double onset_of(const struct kp_leaks *leaks, const struct kp_cohort *cohort)
{
    const struct kp_trend_start *start = &leaks->start;
    bool later = start->onset > cohort->onset || (leaks->exact && start->begins);
    if (leaks->live.is_known && later &&
        start->onset <= cohort->first + GAP_SLACK * leaks->iterations)
        return start->onset;
    return cohort->onset;
}

static double named_error(const struct kp_leaks *leaks)
{
    double error = 0;
    for (size_t i = 0; i < leaks->site_count; i++)
        if (is_leak(&leaks->sites[i]))
            error = hypot(error, leaks->sites[i].cohort.error);
    return error;
}

static void decide_rate(struct kp_leaks *leaks)
{
    leaks->exact = explains_all(leaks);
    leaks->onset = onset_of(leaks, &leaks->sites[0].cohort);
    if (leaks->onset > leaks->start.at) { /* what came before is none of the leak's */
        kp_leaks_judge_series(leaks, leaks->onset);
        leaks->exact = explains_all(leaks);
    }
    leaks->measured =
        (struct kp_measured){leaks->named.value, named_error(leaks), KP_COHORT_BATCHES - 1};
    leaks->rate = leaks->named;
    if (leaks->exact) {
        leaks->rate = leaks->live.rate;
        leaks->measured =
            (struct kp_measured){leaks->live.rate.value, leaks->live.error, leaks->live.df};
    }
}

static bool grows(const struct kp_trend *trend)
{
    return trend->is_known && trend->grows && trend->rate.low > RATE_LEAST;
}

static bool matters(const struct kp_leaks *leaks, const struct kp_trend *trend)
{
    double grown = trend->rate.value * (leaks->end - trend->start);
    return grows(trend) && grown > MATTERS_SHARE * leaks->rss_bytes;
}

/* Not where nearly all of what RSS grows by is something else. */
static bool is_live_growth(const struct kp_leaks *leaks)
{
    bool others = matters(leaks, &leaks->held) || matters(leaks, &leaks->other);
    return grows(&leaks->live) &&
           !(others && leaks->live.rate.value < LITTLE_OF_RSS * leaks->rss.rate.value);
}

/* In bursts, which may come from the program or from a machine that has other things to do. */
static bool has_uneven_growth(const struct kp_leaks *leaks)
{
    for (size_t i = 0; i < leaks->site_count; i++)
        if (leaks->sites[i].cohort.shape == KP_COHORT_UNEVEN &&
            leaks->sites[i].cohort.rate.low > RATE_LEAST)
            return true;
    return false;
}

/* What "other" had grown by when mappings were last looked at, which may have been long before the
 * end: it grows as RSS does. */
static double other_at_last_look(const struct kp_leaks *leaks)
{
    double rss = leaks->stacks_rss - (leaks->readings > 0 ? leaks->points[KP_LEAK_RSS][0].value : 0);
    return leaks->rss.rate.value > 0 ? rss * leaks->other.rate.value / leaks->rss.rate.value : 0;
}

/* The stacks that were there then say it best: a short run is hardly looked at from outside, and
 * threads that have ended unjoined keep theirs. */
static bool have_threads_piled_up(const struct kp_leaks *leaks)
{
    if (!matters(leaks, &leaks->other))
        return false;
    if (leaks->site_count > 0 && is_leak(&leaks->sites[0]) && leaks->sites[0].starts_thread)
        return true;
    if (leaks->stacks > 0)
        return leaks->stacks > leaks->threads_first + THREADS_MORE &&
               leaks->stack_bytes > STACKS_SHARE * other_at_last_look(leaks);
    return leaks->threads_last > leaks->threads_first + THREADS_MORE;
}

/* Mappings count as in use from the moment that they are made: those of an allocator are not. */
static bool is_own_allocator(const struct kp_leaks *leaks)
{
    return *leaks->outside.allocator && matters(leaks, &leaks->rss) &&
           leaks->outside.bytes > KP_OUTSIDE_SHARE * leaks->outside.rss_bytes;
}

static void decide_cause(struct kp_leaks *leaks)
{
    if (is_own_allocator(leaks))
        leaks->cause = KP_CAUSE_OWN;
    else if (is_live_growth(leaks))
        leaks->cause = KP_CAUSE_LIVE;
    else if (matters(leaks, &leaks->held) && leaks->held.rate.value >= leaks->other.rate.value)
        leaks->cause = KP_CAUSE_HELD;
    else if (have_threads_piled_up(leaks))
        leaks->cause = KP_CAUSE_THREADS;
    else if (matters(leaks, &leaks->other))
        leaks->cause = KP_CAUSE_OTHER;
    else if (matters(leaks, &leaks->rss))
        leaks->cause = leaks->live.is_known ? KP_CAUSE_HELD : KP_CAUSE_UNKNOWN;
    leaks->verdict = KP_LEAK_NONE;
    if (leaks->cause == KP_CAUSE_NONE &&
        (isinf(leaks->detectable) || (!leaks->live.is_known && has_uneven_growth(leaks))))
        leaks->verdict = KP_LEAK_UNSURE;
    if (leaks->cause == KP_CAUSE_LIVE)
        leaks->verdict = leaks->live.slowing ? KP_LEAK_SLOWING : KP_LEAK_UNSURE;
}

/* How long a run must be to name what this one could not. */
static void decide_needed(struct kp_leaks *leaks)
{
    double least = rate_least(leaks);
    for (size_t i = 0; i < leaks->site_count; i++)
        if (leaks->sites[i].verdict == KP_LEAK_PROBABLE ||
            (leaks->sites[i].verdict == KP_LEAK_UNSURE && !leaks->sites[i].balanced &&
             leaks->sites[i].cohort.rate.value >= least))
            leaks->needed = fmax(leaks->needed, leaks->sites[i].cohort.needed);
    if (leaks->verdict == KP_LEAK_UNSURE && leaks->live.rate.value > 0)
        leaks->needed = fmax(leaks->needed, KP_COHORT_SURVIVORS_SURE * leaks->gap /
                                                leaks->live.rate.value);
    if (leaks->needed <= leaks->iterations)
        leaks->needed = 0;
}

static double smallest_detectable(const struct kp_leaks *leaks)
{
    double length = leaks->end - leaks->start.at;
    if (length < LENGTH_LEAST)
        return INFINITY;
    return fmax(KP_COHORT_SURVIVORS_SURE * leaks->gap / length, RATE_LEAST);
}

void kp_leaks_decide(struct kp_leaks *leaks)
{
    settle_doubts(leaks);
    decide_sites(leaks);
    kp_leaks_sort(leaks);
    leaks->named = sum_rates(leaks, is_leak);
    leaks->onset = leaks->start.at;
    leaks->detectable = smallest_detectable(leaks);
    if (is_contradicted(leaks))
        withdraw(leaks);
    if (leaks->site_count > 0 && is_leak(&leaks->sites[0])) {
        leaks->verdict = leaks->sites[0].verdict;
        leaks->cause = have_threads_piled_up(leaks) ? KP_CAUSE_THREADS : KP_CAUSE_LIVE;
        decide_rate(leaks);
    } else {
        decide_cause(leaks);
    }
    decide_needed(leaks);
}
