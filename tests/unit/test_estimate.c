/* SPDX-License-Identifier: MIT */
/*
 * Intervals: the chi-squared quantile against published values and its closed form, the rules for
 * zero and for exact sums, and the coverage of simulated recordings: 1,000 seeds, four mixes of
 * sizes, bytes and counts, allocated and live (half of the blocks are freed). Seeds are fixed, so
 * the outcome is the same on every run.
 */
#include "estimate.h"
#include "unit_check.h"
#include "weight.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SEEDS 1000

static uint64_t random_state;

/* splitmix64: a uniform number in (0, 1). */
static double uniform(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static void test_quantile(void)
{
    static const struct {
        double p, df, value;
    } known[] = {
        {0.025, 1, 0.000982069117}, {0.5, 1, 0.454936423},     {0.975, 1, 5.023886187},
        {0.95, 10, 18.30703805},    {0.025, 20, 9.590777392},  {0.975, 20, 34.16960690},
        {0.025, 100, 74.22192747},  {0.975, 100, 129.5611972}, {0.5, 3, 2.365973884},
    };
    double worst = 0;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        worst = fmax(worst, fabs(kp_chi2_quantile(known[i].p, known[i].df) / known[i].value - 1));
    for (double p = 1e-6; p < 1; p = p < 0.9 ? p * 1.7 : p + 0.02)
        worst = fmax(worst, fabs(kp_chi2_quantile(p, 2) / (-2 * log1p(-p)) - 1));
    char why[64];
    snprintf(why, sizeof why, "relative error %.2g", worst);
    kp_check(worst < 1e-6, "chi-squared quantile agrees with tables and with -2 ln(1-p)", "%s",
             why);
    int rising = 1;
    for (double df = 0.01; df < 500; df *= 1.3)
        rising &= kp_chi2_quantile(0.975, df) <= kp_chi2_quantile(0.975, df * 1.3) &&
                  kp_chi2_quantile(0.025, df) < kp_chi2_quantile(0.975, df);
    kp_check(rising, "chi-squared quantile rises with p and with df from 0.01 to 500",
             "it does not");
}

static void test_rules(void)
{
    struct kp_sum none = {.gap = 4096};
    struct kp_estimate e = kp_estimate_of(&none);
    kp_check(e.value == 0 && e.low == 0 && e.high == 3 * 4096.0, "no sample: 0 to 3R",
             "other bounds");
    struct kp_sum exact = {.value = 12345, .weight_max = 12000, .samples = 3};
    e = kp_estimate_of(&exact);
    kp_check(e.low == 12345 && e.high == 12345, "every block recorded: an exact figure",
             "an interval");
    exact.lost = 0.5;
    e = kp_estimate_of(&exact);
    kp_check(e.low == 12345 && e.high == 1.5 * 12345, "lost samples: as many more may be missing",
             "other bounds");
    kp_check(kp_gap_bytes(1) == 0 && kp_gap_blocks(1) == 0, "rate 1 leaves no gap", "it does");
    struct kp_sum one = {4096, 4096.0 * 4096, 4096, 4096, 1, 0};
    e = kp_estimate_of(&one);
    kp_check(e.low > 0 && e.low < 200 && e.high > 19000 && e.high < 19300,
             "one sample: 2.5 % to 4.7 times the weight", "other bounds");
    struct kp_sum big = {1e9, 1e-9, 1e9, 4096, 1, 0};
    e = kp_estimate_of(&big);
    kp_check(e.low > 0.99e9 && e.high < 1e9 + 5 * 4096, "one huge block is nearly certain",
             "it is not");
    struct kp_sum odd = {1, 1e300, 1e308, 1e308, 1, 0};
    e = kp_estimate_of(&odd);
    kp_check(e.low >= 0 && e.low <= 1 && !isnan(e.high), "absurd sums give no NaN", "NaN");
}

/* Sizes of the four mixes; small, bimodal, log-normal, and few huge blocks among tiny ones. */
static double size_of(int mix)
{
    switch (mix) {
    case 0: return 64;
    case 1: return uniform() < 0.9 ? 32 : 4096;
    case 2: return floor(exp(5 + 1.5 * sqrt(-2 * log(uniform())) * cos(6.283185307 * uniform())));
    default: return uniform() < 0.99 ? 24 : 1 << 20;
    }
}

enum { ALLOCATED_BYTES, ALLOCATED_COUNT, LIVE_BYTES, LIVE_COUNT, FIGURES };

static void add_sample(struct kp_sum *sum, double amount, double p)
{
    double weight = amount / p;
    struct kp_sum one = {weight, weight * weight * (1 - p), weight, sum->gap, 1, 0};
    kp_sum_add(sum, &one);
}

/* One recording: blocks of this mix at this rate; covered[] counts the figures that held the
 * truth. */
static void simulate(int mix, int blocks, double rate, int covered[FIGURES])
{
    struct kp_sum sum[FIGURES] = {{0}};
    double truth[FIGURES] = {0};
    for (int f = 0; f < FIGURES; f++)
        sum[f].gap =
            f == ALLOCATED_COUNT || f == LIVE_COUNT ? kp_gap_blocks(rate) : kp_gap_bytes(rate);
    for (int i = 0; i < blocks; i++) {
        double size = size_of(mix), p = kp_sample_probability((uint64_t)size, (uint64_t)rate);
        int live = uniform() < 0.5, sampled = uniform() < p;
        for (int f = 0; f < (live ? FIGURES : LIVE_BYTES); f++) {
            double amount = f == ALLOCATED_COUNT || f == LIVE_COUNT ? 1 : size;
            truth[f] += amount;
            if (sampled)
                add_sample(&sum[f], amount, p);
        }
    }
    for (int f = 0; f < FIGURES; f++) {
        struct kp_estimate e = kp_estimate_of(&sum[f]);
        covered[f] += truth[f] >= e.low && truth[f] <= e.high;
    }
}

static void test_coverage(int mix, int blocks, double rate)
{
    static const char *const mixes[] = {"64 B", "32 B and 4 KiB", "log-normal", "24 B and 1 MiB"};
    int covered[FIGURES] = {0};
    for (int seed = 1; seed <= SEEDS; seed++) {
        random_state = (uint64_t)seed * 1000003 + (uint64_t)mix;
        simulate(mix, blocks, rate, covered);
    }
    char what[160], why[160];
    int ok = 1;
    for (int f = 0; f < FIGURES; f++)
        ok &= covered[f] >= 0.93 * SEEDS && covered[f] <= 0.97 * SEEDS;
    snprintf(what, sizeof what, "95 %% intervals cover: %s, %d blocks, one sample per %.0f B",
             mixes[mix], blocks, rate);
    snprintf(why, sizeof why, "of %d: allocated %d bytes %d count, live %d bytes %d count", SEEDS,
             covered[0], covered[1], covered[2], covered[3]);
    kp_check(ok, what, "%s", why);
}

int main(void)
{
    test_quantile();
    test_rules();
    for (int mix = 0; mix < 4; mix++) {
        test_coverage(mix, 4000, 1024);
        test_coverage(mix, 4000, 4096);
    }
    test_coverage(0, 1000, 8192); /* ten samples, five of them live */
    test_coverage(3, 3000, 16384);
    return kp_checks_failed();
}
