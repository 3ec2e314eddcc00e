/* SPDX-License-Identifier: MIT */
/*
 * The steps of leak_cohorts.h, in its order. Births are counted once per iteration where the shape
 * is judged (a block of eight parts that is born at once is one event), and weighed by their bytes
 * where the rate is.
 */
#include "leak_cohorts.h"

#include <math.h>
#include <stdlib.h>

#define GUARD_LEAST 2.0
#define GUARD_LEAST_SHARE 50.0 /* of N: a fiftieth */
#define GUARD_MOST_SHARE 3.0
#define GUARD_SAMPLES 5.0 /* freed ones that say how long blocks live */
#define OLD_SHARE_MAX 0.05
#define OLD_SURELY 2.0 /* standard deviations of their number above that */
#define SLOWING_SHARE 0.8 /* of the first half; above it the difference does not matter */
#define ONSETS_MAX 3
#define FALLING_STEPS 256
#define SURELY_UNEVEN_P 1e-5
#define SURELY_SLOWING_Z 4.0
#define NORMAL_95 1.96
#define CONSTANT_BETTER 2.5 /* of log-likelihood, at least */

/* How far from even a shape must be. A leak of many samples must not be taken for something else by
 * chance; one of few samples is only told when nothing speaks against it. */
static const struct {
    double generations, uneven_p, slowing_z;
} strictness[] = {{100, 0.001, 3.0}, {40, 0.005, 2.33}, {0, 0.01, 1.645}};

/* Samples since `from`, and different iterations among them. */
struct span {
    size_t first, count, generations;
};

static double age_at_most(const struct kp_cohort_input *in, int cell)
{
    return (cell == 0 ? 0 : ldexp(1, cell)) * in->age_unit;
}

static double guard_of(const struct kp_cohort_input *in)
{
    double length = in->end - in->begin, freed = 0, below = 0;
    double guard = fmax(GUARD_LEAST, length / GUARD_LEAST_SHARE);
    for (int cell = 0; cell < KP_COHORT_AGES; cell++)
        freed += in->freed[cell];
    for (int cell = 0; freed >= GUARD_SAMPLES && cell < KP_COHORT_AGES; cell++) {
        below += in->freed[cell];
        if (below >= 0.95 * freed)
            return fmin(fmax(guard, age_at_most(in, cell) + 1), length / GUARD_MOST_SHARE);
    }
    return guard;
}

/* Ages are spread evenly over the logarithm within their power of two. */
static double freed_older(const struct kp_cohort_input *in, double guard)
{
    double older = 0;
    for (int cell = 0; cell < KP_COHORT_AGES; cell++) {
        double high = age_at_most(in, cell), low = cell > 1 ? high / 2 : 0;
        if (low >= guard)
            older += in->freed[cell];
        else if (high > guard && low > 0)
            older += in->freed[cell] * log2(high / guard);
    }
    return older;
}

static size_t first_from(const struct kp_cohort_input *in, double at)
{
    size_t low = 0, high = in->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        *(in->births[middle].at < at ? &low : &high) =
            in->births[middle].at < at ? middle + 1 : middle;
    }
    return low;
}

static bool is_generation(const struct kp_cohort_input *in, size_t i, size_t first)
{
    return i == first || floor(in->births[i].at) != floor(in->births[i - 1].at);
}

static struct span span_of(const struct kp_cohort_input *in, double from, double to)
{
    struct span span = {first_from(in, from), 0, 0};
    size_t last = first_from(in, to);
    for (size_t i = span.first; i < last; i++)
        span.generations += is_generation(in, i, span.first);
    span.count = last > span.first ? last - span.first : 0;
    return span;
}

static double log_likelihood(double count, double length)
{
    return count > 0 && length > 0 ? count * log(count / length) : 0;
}

/* One change point of the generations in [from, to), in the first half; from where there is none.
 * The likelihood has its maxima beside births. */
static double change_point(const struct kp_cohort_input *in, double from, double to, double half)
{
    struct span span = span_of(in, from, to);
    double n = (double)span.generations, seen = 0, best = 0, at = from;
    double flat = log_likelihood(n, to - from);
    for (size_t i = span.first; i < span.first + span.count; i++) {
        double birth = floor(in->births[i].at);
        if (!is_generation(in, i, span.first))
            continue;
        for (int side = 0; side < 2; side++) { /* just before it, just behind it */
            double c = birth + side, n1 = seen + side;
            if (c <= from || c > half)
                continue;
            double gain =
                log_likelihood(n1, c - from) + log_likelihood(n - n1, to - c) - flat;
            if (gain > best) {
                best = gain;
                at = c;
            }
        }
        seen++;
    }
    return 2 * best > 2 * log(fmax(n, 3)) + 2 ? at : from;
}

static double rate_in(const struct kp_cohort_input *in, double from, double to)
{
    return (double)span_of(in, from, to).generations / (to - from);
}

/* The last change point; *rises: there is more behind it than before. */
static double find_onset(const struct kp_cohort_input *in, double to, bool *rises)
{
    double onset = in->begin, half = in->begin + (to - in->begin) / 2;
    *rises = false;
    for (int i = 0; i < ONSETS_MAX; i++) {
        double next = change_point(in, onset, to, half);
        if (next <= onset)
            break;
        *rises = rate_in(in, onset, next) < rate_in(in, next, to);
        onset = next;
    }
    return onset;
}

/* 1/t, t from the beginning on; `at` may be in stretched time, t is not. */
static double falling_rate(const struct kp_cohort_input *in, double at)
{
    return 1 / ((in->exposure ? kp_exposure_unstretch(in->exposure, at) : at) - in->begin + 1);
}

/* Growth like that of the logarithm never ends, but is no leak: a set of things that are seen for
 * the first time more and more seldom. Where nothing has begun late, what is left must look more
 * like a constant rate than like one that falls as 1/t. */
static bool is_logarithmic(const struct kp_cohort_input *in, double from, double to)
{
    struct span span = span_of(in, from, to);
    double n = (double)span.generations, falling = 0, all = 0;
    for (size_t i = span.first; i < span.first + span.count; i++)
        if (is_generation(in, i, span.first))
            falling += log(falling_rate(in, in->births[i].at));
    for (int i = 0; i < FALLING_STEPS; i++)
        all += falling_rate(in, from + (i + 0.5) / FALLING_STEPS * (to - from)) / FALLING_STEPS;
    falling += n * log(n / (all * (to - from)));
    return falling > log_likelihood(n, to - from) - CONSTANT_BETTER;
}

static double evenness_p(const struct kp_cohort_input *in, const struct span *span, double from,
                         double to)
{
    double distance = 0, n = (double)span->generations, seen = 0;
    for (size_t i = span->first; i < span->first + span->count; i++) {
        if (!is_generation(in, i, span->first))
            continue;
        double share = (floor(in->births[i].at) - from + 0.5) / (to - from);
        distance = fmax(distance, fmax(fabs(share - seen / n), fabs((seen + 1) / n - share)));
        seen++;
    }
    return kp_ks_tail(distance, span->generations);
}

static double excess(double first, double second)
{
    return first + second > 0 ? (first - second) / sqrt(first + second) : 0;
}

/* A cache that fills up: what comes in falls off as exp(-t/tau), and the halves are exp(h/tau)
 * apart. 95 % are there after 3 tau. */
static bool is_slowing(const struct kp_cohort_input *in, double from, double to, double z,
                       struct kp_cohort *cohort)
{
    double half = (to - from) / 2;
    struct span first = span_of(in, from, from + half), second = span_of(in, from + half, to);
    double g1 = (double)first.generations, g2 = (double)second.generations;
    if (excess(g1, g2) <= z || g2 > SLOWING_SHARE * g1)
        return false;
    cohort->is_doubtful = cohort->needs_company = excess(g1, g2) <= SURELY_SLOWING_Z;
    if (second.count > 0 && first.count > second.count)
        cohort->full_after = from + 3 * half / log((double)first.count / (double)second.count);
    return true;
}

/* Standard error of the sum of the births since the onset, were there nothing but sampling: of
 * Horvitz and Thompson's estimator. */
static double sampling_error(const struct kp_cohort_input *in, double from, double to)
{
    double variance = 0;
    for (size_t i = first_from(in, from); i < in->count && in->births[i].at < to; i++)
        variance += pow(in->births[i].bytes, 2) * (1 - 1 / fmax(in->births[i].blocks, 1));
    return sqrt(variance);
}

/* Eight batches may agree by chance: nothing is surer than sampling is. */
static void batch_rate(const struct kp_cohort_input *in, double to, struct kp_cohort *cohort)
{
    double sums[KP_COHORT_BATCHES] = {0}, mean = 0, squares = 0;
    double length = (to - cohort->onset) / KP_COHORT_BATCHES;
    double least = sampling_error(in, cohort->onset, to) / (to - cohort->onset);
    for (size_t i = first_from(in, cohort->onset); i < in->count && in->births[i].at < to; i++) {
        int batch = (int)((in->births[i].at - cohort->onset) / length);
        sums[batch < KP_COHORT_BATCHES ? batch : KP_COHORT_BATCHES - 1] += in->births[i].bytes;
    }
    for (int i = 0; i < KP_COHORT_BATCHES; i++)
        mean += sums[i] / length / KP_COHORT_BATCHES;
    for (int i = 0; i < KP_COHORT_BATCHES; i++)
        squares += (sums[i] / length - mean) * (sums[i] / length - mean);
    double scatter = sqrt(squares / (KP_COHORT_BATCHES - 1) / KP_COHORT_BATCHES);
    double half = fmax(kp_t_quantile(0.025, KP_COHORT_BATCHES - 1) * scatter, NORMAL_95 * least);
    cohort->error = fmax(scatter, least);
    cohort->rate = (struct kp_estimate){mean, fmax(mean - half, 0), mean + half};
    cohort->p = mean > 0 ? kp_t_tail(mean / fmax(cohort->error, 1e-9 * mean), KP_COHORT_BATCHES - 1)
                         : 1;
}

/* Where each block is a sample of its own, eight batches may agree by chance. */
static void widen_by_poisson(struct kp_cohort *cohort)
{
    if (cohort->survivors == 0 || cohort->survivors >= KP_COHORT_SURVIVORS_SURE)
        return;
    double n = (double)cohort->survivors, mean = cohort->rate.value;
    struct kp_estimate count = kp_poisson_interval(n);
    cohort->rate.low = fmin(cohort->rate.low, mean * count.low / n);
    cohort->rate.high = fmax(cohort->rate.high, mean * count.high / n);
    cohort->error = fmax(cohort->error, mean / sqrt(n));
}

/* A list that leaks copies itself now and then: a few old ones freed are no cache. */
static bool is_reclaimed(double older, double survivors)
{
    double allowed = OLD_SHARE_MAX * (older + survivors);
    return older > allowed + OLD_SURELY * sqrt(allowed);
}

static enum kp_cohort_shape shape_of(const struct kp_cohort_input *in, const struct span *span,
                                     double to, double older, struct kp_cohort *cohort)
{
    int how = 0;
    bool reclaims = is_reclaimed(older, (double)span->count);
    while ((double)span->generations < strictness[how].generations)
        how++;
    if (span->generations < KP_COHORT_GENERATIONS_MIN)
        return reclaims && span->count > 0 ? KP_COHORT_CACHE : KP_COHORT_NOTHING;
    if (reclaims)
        return KP_COHORT_CACHE;
    if (is_slowing(in, cohort->onset, to, strictness[how].slowing_z, cohort))
        return KP_COHORT_SLOWING;
    double even_p = evenness_p(in, span, cohort->onset, to);
    if (even_p > strictness[how].uneven_p)
        return KP_COHORT_LINEAR;
    cohort->is_doubtful = even_p > SURELY_UNEVEN_P;
    return KP_COHORT_UNEVEN;
}

static void judge_until(const struct kp_cohort_input *in, double to, struct kp_cohort *cohort)
{
    bool rises = in->grows_from > 0;
    cohort->onset = rises ? in->grows_from : find_onset(in, to, &rises);
    cohort->first = first_from(in, cohort->onset) < in->count
                        ? in->births[first_from(in, cohort->onset)].at
                        : to;
    struct span span = span_of(in, cohort->onset, to);
    double older = freed_older(in, cohort->guard);
    cohort->survivors = span.count;
    cohort->generations = span.generations;
    cohort->old_share = older > 0 ? older / (older + (double)span.count) : 0;
    batch_rate(in, to, cohort);
    widen_by_poisson(cohort);
    if (span.count == 0)
        cohort->rate.high = 3 * in->gap / (to - in->begin);
    cohort->shape = shape_of(in, &span, to, older, cohort);
    if (cohort->shape == KP_COHORT_LINEAR && !rises && is_logarithmic(in, cohort->onset, to)) {
        cohort->shape = KP_COHORT_SLOWING;
        cohort->is_doubtful = true;
        cohort->needs_company = cohort->onset > in->begin;
    }
    if (span.count > 0)
        cohort->needed = in->end * KP_COHORT_SURVIVORS_SURE / (double)span.count;
}

static double mean_block(const struct kp_cohort_input *in)
{
    double bytes = 0, blocks = 0;
    for (size_t i = 0; i < in->count; i++) {
        bytes += in->births[i].bytes;
        blocks += in->births[i].blocks;
    }
    return blocks > 0 ? bytes / blocks : 0;
}

/* The same births in stretched time. A sample counts there by how likely it was: those of a time
 * when next to nothing was looked at stand for much, and are few. */
static void judge_stretched(const struct kp_cohort_input *in, double to, struct kp_cohort *cohort)
{
    struct kp_exposure exposure;
    struct kp_cohort_input stretched = *in;
    struct kp_birth *births = calloc(in->count + 1, sizeof *births);
    if (!births)
        return;
    kp_exposure_make(&exposure, in->rates, in->rate_count, in->begin, in->end, mean_block(in));
    for (size_t i = 0; i < in->count; i++) {
        births[i] = in->births[i];
        births[i].at = kp_exposure_stretch(&exposure, in->births[i].at);
        births[i].bytes *= kp_exposure_density(&exposure, in->births[i].at);
    }
    stretched.births = births;
    stretched.exposure = &exposure;
    if (in->grows_from > 0)
        stretched.grows_from = kp_exposure_stretch(&exposure, in->grows_from);
    judge_until(&stretched, kp_exposure_stretch(&exposure, to), cohort);
    cohort->first = kp_exposure_unstretch(&exposure, cohort->first);
    cohort->onset = ceil(kp_exposure_unstretch(&exposure, cohort->onset) - 1e-6) + 0.0; /* not -0 */
    if (cohort->full_after > 0)
        cohort->full_after = kp_exposure_unstretch(&exposure, cohort->full_after);
    free(births);
}

struct kp_cohort kp_cohort_judge(const struct kp_cohort_input *in)
{
    struct kp_cohort cohort = {.p = 1, .guard = guard_of(in)};
    double to = in->end - cohort.guard;
    if (!(to - fmax(in->begin, in->grows_from) >= KP_COHORT_BATCHES))
        return cohort;
    if (in->rate_count > 0 && in->count > 1)
        judge_stretched(in, to, &cohort);
    else
        judge_until(in, to, &cohort);
    return cohort;
}
