/* SPDX-License-Identifier: MIT */
/*
 * The sampler's gaps and the estimates made from them, against planted truth. Links the shim's own
 * gap.c and the analyzer's estimate.c: what is tested is what runs. Anderson-Darling on the gaps;
 * then streams of allocations and frees on two threads' generators, 4,000 seeds for each of four
 * size mixes: the 95 % intervals of bytes, counts and live bytes must hold the truth in 93-97 %.
 */
#include "estimate.h"
#include "gap.h"
#include "record.h"
#include "weight.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAPS 20000
#define SEEDS 4000
#define BLOCKS 12000

static void say(int good, const char *what, double figure)
{
    printf("%s - %s (%.4f)\n", good ? "ok" : "not ok", what, figure);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A^2 of gaps against the exponential distribution of mean R; 1 % critical value 3.88. */
static double anderson_darling(struct kp_thread *thread, uint64_t rate)
{
    static double u[GAPS];
    double sum = 0;

    for (int i = 0; i < GAPS; i++) {
        kp_gap_draw(thread, rate);
        u[i] = -expm1(-((double)thread->left + 0.5) / (double)rate);
    }
    qsort(u, GAPS, sizeof *u, by_value);
    for (int i = 0; i < GAPS; i++)
        sum += (2 * i + 1) * (log(u[i]) + log1p(-u[GAPS - 1 - i]));
    return -GAPS - sum / GAPS;
}

struct sums {
    struct kp_sum sum;
    double truth;
};

static void add(struct sums *sums, double weight, double variance)
{
    struct kp_sum one = {.value = weight, .variance = variance, .weight_max = weight, .samples = 1};

    kp_sum_add(&sums->sum, &one);
}

static uint64_t size_of(int mix, uint64_t random)
{
    switch (mix) {
    case 0: return 48;
    case 1: return 16 + random % 1000;
    case 2: return random % 100 == 0 ? 20000 : 32;
    default: return (uint64_t)16 << random % 12;
    }
}

/* One stream: every block has its chance by the shim's countdown; seven of eight are freed. */
static void stream(struct kp_thread *threads, int mix, uint64_t rate, struct sums *sums)
{
    for (int i = 0; i < BLOCKS; i++) {
        struct kp_thread *thread = &threads[i & 1];
        uint64_t size = size_of(mix, (uint64_t)random());
        int64_t counted = (int64_t)KP_SAMPLED_BYTES(size);
        int lives = random() % 8 == 0, sampled = thread->left < counted;
        double p = kp_sample_probability(size, rate), bytes = (double)size;

        sums[0].truth += bytes;
        sums[1].truth += 1;
        sums[2].truth += lives ? bytes : 0;
        thread->left -= counted;
        if (!sampled)
            continue;
        kp_gap_draw(thread, rate);
        add(&sums[0], bytes / p, bytes * bytes * (1 - p) / (p * p));
        add(&sums[1], 1 / p, (1 - p) / (p * p));
        if (lives)
            add(&sums[2], bytes / p, bytes * bytes * (1 - p) / (p * p));
    }
}

static int covers(struct sums *sums, double gap)
{
    sums->sum.gap = gap;
    struct kp_estimate e = kp_estimate_of(&sums->sum);

    return e.low <= sums->truth && sums->truth <= e.high;
}

static void coverage(struct kp_thread *threads, int mix, uint64_t rate)
{
    static const char *const figures[] = {"bytes", "count", "live bytes"};
    int covered[3] = {0, 0, 0};

    for (int seed = 0; seed < SEEDS; seed++) {
        struct sums sums[3];

            memset(sums, 0, sizeof sums);

        stream(threads, mix, rate, sums);
        for (int f = 0; f < 3; f++)
            covered[f] += covers(&sums[f], f == 1 ? kp_gap_blocks((double)rate)
                                                 : kp_gap_bytes((double)rate));
    }
    for (int f = 0; f < 3; f++) {
        double share = (double)covered[f] / SEEDS;
        char what[120];

        snprintf(what, sizeof what, "size mix %d: 95 %% interval of %s holds the truth", mix, figures[f]);
        say(share >= 0.93 && share <= 0.97, what, share);
    }
}

static double log_error(void)
{
    double worst = 0;

    for (double x = 1; x > 1e-17; x *= 0.9993) {
        double error = fabs(kp_log(x) - log(x));

        if (error > worst)
            worst = error;
    }
    return worst;
}

int main(void)
{
    static const uint64_t rates[] = {512, 4096, 524288};
    struct kp_thread threads[2];

    memset(threads, 0, sizeof threads);
    for (int i = 0; i < 2; i++) {
        threads[i].random = 0x1234567u + (uint64_t)i * 0x9876543u;
        kp_gap_draw(&threads[i], 2048);
    }
    srandom(1);
    say(log_error() < 1e-9, "our logarithm is libm's to 1e-9", log_error());
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
        double a2 = anderson_darling(&threads[0], rates[i]);

        say(a2 < 3.88, "gaps are exponential (Anderson-Darling A^2 below 3.88)", a2);
    }
    for (int i = 0; i < 2; i++)
        kp_gap_draw(&threads[i], 2048);
    for (int mix = 0; mix < 4; mix++)
        coverage(threads, mix, 2048);
    kp_gap_draw(&threads[0], 1);
    int64_t first = threads[0].left;
    kp_gap_draw(&threads[0], 1);
    say(first < 16 && threads[0].left < 16, "rate 1 samples every allocation", (double)first);
    say(first != threads[0].left, "rate 1 shows that it was drawn", (double)threads[0].left);
    return 0;
}
