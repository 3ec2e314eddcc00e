/* SPDX-License-Identifier: MIT */
/*
 * The shapes of leak_shapes.h. Sizes and lives are drawn anew for each seed.
 */
#include "leak_shapes.h"

#include "alloc.h"
#include "lifetime.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KB 1024.0
#define ALL_MARKS 100 /* with totals; then every tenth, as the budget of the shim has it */

enum { WARM, NOISE, QUEUE, SAW, CACHE, OTHER };

static uint64_t next_random(struct kp_program *p)
{
    uint64_t z = p->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double kp_program_uniform(struct kp_program *p)
{
    return ((double)(next_random(p) >> 11) + 0.5) / 9007199254740992.0;
}

static int poisson(struct kp_program *p, double mean)
{
    double product = kp_program_uniform(p), limit = exp(-mean);
    int n = 0;
    for (; product > limit; n++)
        product *= kp_program_uniform(p);
    return n;
}

static int geometric(struct kp_program *p, double mean)
{
    return (int)(log(kp_program_uniform(p)) / log1p(-1 / mean));
}

void kp_program_begin(struct kp_program *p, int iterations, uint64_t seed)
{
    *p = (struct kp_program){.iterations = iterations, .random = seed * 2654435761u + 17};
}

void kp_program_release(struct kp_program *p)
{
    free(p->blocks);
}

void kp_program_add(struct kp_program *p, int born, int died, double size, int place)
{
    p->blocks = kp_array_grow(p->blocks, &p->capacity, p->count + 1, sizeof *p->blocks);
    p->blocks[p->count++] = (struct kp_block){born, died, size, place};
}

static void warm_up(struct kp_program *p)
{
    for (int k = 0; k < p->iterations; k++)
        for (int n = poisson(p, 20 * exp(-k / 8.0)); n > 0; n--)
            kp_program_add(p, k, INT_MAX, 2 * KB, WARM);
}

static void noise(struct kp_program *p)
{
    for (int k = 0; k < p->iterations; k++)
        for (int n = poisson(p, 40); n > 0; n--)
            kp_program_add(p, k, k + 1 + (kp_program_uniform(p) < 0.5), KB, NOISE);
}

static void queue(struct kp_program *p)
{
    for (int k = -100; k < p->iterations; k++)
        for (int n = poisson(p, 5); n > 0; n--) {
            int died = k + 1 + geometric(p, 20);
            if (died > 0)
                kp_program_add(p, k < 0 ? 0 : k, died, KB, QUEUE);
        }
}

static void sawtooth(struct kp_program *p)
{
    noise(p);
    for (int k = 0, next = 17; k < p->iterations; k++) {
        if (k >= next)
            next += 12 + (int)(kp_program_uniform(p) * 10);
        for (int i = 0; i < 3; i++)
            kp_program_add(p, k, next, 4 * KB, SAW);
    }
}

static void fifo_cache(struct kp_program *p)
{
    int size = p->iterations / 10 + (int)(kp_program_uniform(p) * p->iterations * 0.5);
    noise(p);
    for (int k = 0; k < p->iterations; k++)
        kp_program_add(p, k, k + size, 1.25 * KB, CACHE);
}

static void evict(struct kp_program *p, size_t *kept, size_t *count, int now)
{
    size_t victim = (size_t)(kp_program_uniform(p) * (double)*count);
    p->blocks[kept[victim]].died = now;
    kept[victim] = kept[--*count];
}

static void random_cache(struct kp_program *p)
{
    size_t *kept = kp_alloc((size_t)p->iterations * sizeof *kept), count = 0;
    size_t size = (size_t)p->iterations / 10 + (size_t)(kp_program_uniform(p) * p->iterations / 5);
    noise(p);
    for (int k = 0; k < p->iterations; k++) {
        kp_program_add(p, k, INT_MAX, 1.25 * KB, CACHE);
        kept[count++] = p->count - 1;
        if (count > size)
            evict(p, kept, &count, k);
    }
    free(kept);
}

static void log_growth(struct kp_program *p)
{
    noise(p);
    for (int k = 0; k < p->iterations; k++)
        for (int n = poisson(p, 20.0 / (k + 1)); n > 0; n--)
            kp_program_add(p, k, INT_MAX, 2 * KB, OTHER);
}

static void one_step(struct kp_program *p)
{
    int when = (int)((0.2 + 0.6 * kp_program_uniform(p)) * p->iterations);
    noise(p);
    for (int i = 0; i < 50; i++)
        kp_program_add(p, when, INT_MAX, 4 * KB, OTHER);
}

/* A pool of buffers that grows and shrinks by one, last in, first out. */
static void random_walk(struct kp_program *p)
{
    size_t *kept = kp_alloc(((size_t)p->iterations + 50) * sizeof *kept), count = 0;
    noise(p);
    for (int k = -50; k < p->iterations; k++) {
        if (k > 0 && count > 0 && kp_program_uniform(p) < 0.5) {
            p->blocks[kept[--count]].died = k;
            continue;
        }
        kp_program_add(p, k < 0 ? 0 : k, INT_MAX, 8 * KB, OTHER);
        kept[count++] = p->count - 1;
    }
    free(kept);
}

/* Words out of a vocabulary of 300, the rarer the later they are met: each is kept once. */
static void interning(struct kp_program *p)
{
    bool met[300] = {false};
    noise(p);
    for (int k = 0; k < p->iterations; k++)
        for (int i = 0; i < 20; i++) {
            int word = (int)(300 * pow(kp_program_uniform(p), 3));
            if (!met[word])
                kp_program_add(p, k, INT_MAX, 0.5 * KB, OTHER);
            met[word] = true;
        }
}

/* Threads start when they are first needed, and stay. */
static void thread_pool(struct kp_program *p)
{
    noise(p);
    for (int thread = 0; thread < 16; thread++) {
        int start = geometric(p, p->iterations / 8.0);
        if (start < p->iterations)
            kp_program_add(p, start, INT_MAX, 8 * KB, OTHER);
        for (int k = start; k < p->iterations; k += 5)
            kp_program_add(p, k, k + 1 + geometric(p, 4), 2 * KB, CACHE);
    }
}

const struct kp_shape kp_shapes[KP_SHAPES] = {
    {"noise", noise, false},           {"queue", queue, false},
    {"sawtooth", sawtooth, false},     {"fifo cache", fifo_cache, false},
    {"random cache", random_cache, false}, {"log growth", log_growth, true},
    {"one step", one_step, false},     {"random walk", random_walk, false},
    {"interning", interning, true},    {"thread pool", thread_pool, true},
};

void kp_program_usual(struct kp_program *p)
{
    warm_up(p);
    sawtooth(p);
    for (int k = 0; k < p->iterations; k++)
        kp_program_add(p, k, k + p->iterations / 10, 1.25 * KB, CACHE);
}

void kp_program_leak(struct kp_program *p, double bytes, int onset)
{
    for (int k = onset; k < p->iterations; k++)
        kp_program_add(p, k, INT_MAX, bytes, KP_PLACE_LEAK);
}

/* One sample per 400 KiB or so while the program starts, then half of that every 12 iterations, and
 * in the end what its own allocations allow, which goes up and down. */
static void draw_rates(struct kp_program *p, struct kp_leaks *leaks)
{
    double rate = (300 + 200 * kp_program_uniform(p)) * KB;
    double usual = (3 + 7 * kp_program_uniform(p)) * KB;
    int settled = (int)((0.03 + 0.09 * kp_program_uniform(p)) * p->iterations);
    leaks->rates = kp_alloc((size_t)p->iterations * sizeof *leaks->rates);
    for (int k = 1; k < p->iterations; k++) {
        double step = exp(0.8 * (kp_program_uniform(p) - 0.5));
        if (k >= settled && k % 12 == 0)
            rate = rate > 2 * usual ? rate / 2 : fmin(fmax(rate * step, usual / 2), 2 * usual);
        leaks->rates[leaks->rate_count++] = (struct kp_rate_at){k, rate};
    }
}

static double rate_of(const struct kp_leaks *leaks, int iteration)
{
    if (leaks->rate_count == 0)
        return leaks->gap;
    return leaks->rates[iteration > 1 ? iteration - 1 : 0].rate;
}

static double mean_gap(const struct kp_leaks *leaks)
{
    double inverse = 0;
    for (size_t i = 0; i < leaks->rate_count; i++)
        inverse += 1 / leaks->rates[i].rate;
    return (double)leaks->rate_count / inverse;
}

struct sampled {
    struct kp_cohort_input inputs[KP_PLACES];
    struct kp_birth *births[KP_PLACES];
    size_t capacities[KP_PLACES];
};

static int compare_births(const void *left, const void *right)
{
    double a = ((const struct kp_birth *)left)->at, b = ((const struct kp_birth *)right)->at;
    return (a > b) - (a < b);
}

static void sample(struct kp_program *p, const struct kp_leaks *leaks, struct sampled *s)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct kp_block *block = &p->blocks[i];
        double rate = rate_of(leaks, block->born);
        double chance = rate > 1 ? -expm1(-(block->size + 16) / rate) : 1;
        struct kp_cohort_input *in = &s->inputs[block->place];
        if (kp_program_uniform(p) >= chance)
            continue;
        if (block->died < p->iterations) {
            in->freed[kp_log2_age((uint64_t)(block->died - block->born))]++;
            continue;
        }
        if (block->born < 1)
            continue;
        s->births[block->place] =
            kp_array_grow(s->births[block->place], &s->capacities[block->place], in->count + 1,
                          sizeof **s->births);
        s->births[block->place][in->count++] =
            (struct kp_birth){block->born, block->size / chance, 1 / chance};
    }
}

/* Into the leaks, which look at births once more where the totals tell more of them. */
static void hand_over(struct sampled *s, struct kp_leaks *leaks)
{
    size_t count = 0;
    leaks->inputs = kp_alloc(KP_PLACES * sizeof *leaks->inputs);
    for (int i = 0; i < KP_PLACES; i++)
        count += s->inputs[i].count;
    leaks->births = kp_alloc((count + 1) * sizeof *leaks->births);
    for (int i = KP_PLACES - 1; i >= 0; i--) {
        struct kp_cohort_input *in = &leaks->inputs[i];
        *in = s->inputs[i];
        count -= in->count;
        if (in->count > 0)
            memcpy(&leaks->births[count], s->births[i], in->count * sizeof *in->births);
        in->births = &leaks->births[count];
        free(s->births[i]);
    }
}

static void judge_places(struct kp_program *p, struct kp_leaks *leaks)
{
    struct sampled s = {0};
    sample(p, leaks, &s);
    hand_over(&s, leaks);
    leaks->sites = kp_alloc(KP_PLACES * sizeof *leaks->sites);
    leaks->site_count = KP_PLACES;
    for (int i = 0; i < KP_PLACES; i++) {
        struct kp_cohort_input *in = &leaks->inputs[i];
        struct kp_birth *births = &leaks->births[in->births - leaks->births];
        qsort(births, in->count, sizeof *births, compare_births);
        in->begin = 1;
        in->end = p->iterations;
        in->age_unit = 1;
        in->gap = leaks->gap;
        in->rates = leaks->rates;
        in->rate_count = leaks->rate_count;
        leaks->sites[i].cohort = kp_cohort_judge(in);
        leaks->sites[i].stack_id = i + 1;
    }
}

/* Nothing is known of RSS. */
static void judge_series(const struct kp_program *p, struct kp_leaks *leaks)
{
    int n = p->iterations;
    double *change = kp_alloc(((size_t)n + 1) * sizeof *change), live = 0;
    for (int i = 0; i < KP_LEAK_SERIES; i++)
        leaks->points[i] = kp_alloc((size_t)n * sizeof *leaks->points[i]);
    for (size_t i = 0; i < p->count; i++) {
        change[p->blocks[i].born] += p->blocks[i].size;
        if (p->blocks[i].died < n)
            change[p->blocks[i].died] -= p->blocks[i].size;
    }
    for (int k = 0; k < n; k++) {
        live += change[k];
        if (k > 0 && (k < ALL_MARKS || k % 10 == 0))
            leaks->points[KP_LEAK_LIVE][leaks->readings++] = (struct kp_reading_point){k, live};
    }
    leaks->has_totals = true;
    kp_leaks_judge_series(leaks, 1);
    free(change);
}

void kp_program_judge(struct kp_program *p, double rate, struct kp_leaks *leaks)
{
    *leaks = (struct kp_leaks){.has_marks = true, .iterations = p->iterations, .begin = 1,
                               .end = p->iterations, .gap = rate,
                               .outside = {.module = "", .allocator = ""}};
    if (rate == KP_RATE_AUTO) {
        draw_rates(p, leaks);
        leaks->gap = mean_gap(leaks);
    }
    judge_places(p, leaks);
    judge_series(p, leaks);
    kp_leaks_decide(leaks);
}
