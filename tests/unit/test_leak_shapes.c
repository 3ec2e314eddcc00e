/* SPDX-License-Identifier: MIT */
/*
 * The leak analysis against programs whose memory is known (leak_shapes.c): 1,000 iterations, one
 * sample per 4 KiB, many seeds. Without a leak none is named in 99 % of runs; with one the rate is
 * within 5 %, its interval covers it in 90 to 98 %, the place is the right one and the onset within
 * 5 % of the iterations, wherever the samples are enough. Seeds are fixed. KPROF_TEST_LONG=1: 1,000
 * of them instead of 40.
 */
#include "leak_shapes.h"
#include "unit_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITERATIONS 1000
#define RATE 4096
#define ONSET 200

static int seeds = 40;

static void test_clean(void)
{
    char where[400] = "";
    int named = 0, named_slowing = 0;
    for (int shape = 0; shape < KP_SHAPES; shape++)
        for (int seed = 0; seed < seeds; seed++) {
            struct kp_program program;
            struct kp_leaks leaks;
            kp_program_begin(&program, ITERATIONS, (uint64_t)(seed + 100000 * shape));
            kp_shapes[shape].fill(&program);
            kp_program_judge(&program, RATE, &leaks);
            bool leak = leaks.verdict >= KP_LEAK_PROBABLE;
            *(kp_shapes[shape].may_slow ? &named_slowing : &named) += leak;
            size_t used = strlen(where);
            if (leak)
                snprintf(where + used, sizeof where - used, " %s/%d", kp_shapes[shape].name, seed);
            kp_leaks_release(&leaks);
            kp_program_release(&program);
        }
    kp_check(named + named_slowing <= 0.01 * seeds * KP_SHAPES,
             "of programs without a leak at most 1 % are said to leak", "%d of %d:%s",
             named + named_slowing, seeds * KP_SHAPES, where);
}

struct score {
    int named, right, near, covered, onset;
};

static struct score score_leak(double bytes)
{
    struct score s = {0};
    for (int seed = 0; seed < seeds; seed++) {
        struct kp_program program;
        struct kp_leaks leaks;
        kp_program_begin(&program, ITERATIONS, (uint64_t)(seed + 7777777));
        kp_program_usual(&program);
        kp_program_leak(&program, bytes, ONSET);
        kp_program_judge(&program, RATE, &leaks);
        s.named += leaks.verdict >= KP_LEAK_PROBABLE;
        s.right += leaks.sites[0].stack_id == KP_PLACE_LEAK + 1 &&
                   leaks.sites[1].verdict < KP_LEAK_PROBABLE;
        s.near += fabs(leaks.rate.value - bytes) <= 0.05 * bytes;
        s.covered += leaks.rate.low <= bytes && leaks.rate.high >= bytes;
        s.onset += fabs(leaks.onset - ONSET) <= 0.05 * ITERATIONS;
        kp_leaks_release(&leaks);
        kp_program_release(&program);
    }
    return s;
}

static void check_share(int count, double least, double most, const char *what)
{
    /* of 40 seeds a few more or less are chance */
    double slack = 2 * sqrt(fmax(least * (1 - least), 0) / seeds);
    kp_check(count >= (least - slack) * seeds && count <= (most + slack) * seeds, what,
             "%d of %d", count, seeds);
}

static void test_leaks(void)
{
    struct score medium = score_leak(1250), large = score_leak(65536), small = score_leak(100);
    check_share(medium.named, 1, 1, "a leak of 1.22 KB an iteration is named each time");
    check_share(medium.right, 0.98, 1, "at the right place, and nowhere else");
    check_share(medium.near, 0.93, 1, "its rate is within 5 %");
    check_share(medium.covered, 0.90, 0.98, "its interval covers it");
    check_share(medium.onset, 0.95, 1, "it begins where it does");
    check_share(large.named, 1, 1, "a leak of 64 KiB is named each time");
    check_share(large.near, 1, 1, "its rate is within 5 %, at 64 KiB");
    check_share(large.covered, 0.90, 1, "its interval covers it, at 64 KiB");
    check_share(small.named, 0.80, 1, "a leak of 100 B, of about 20 samples, is named mostly");
    check_share(small.covered, 0.75, 0.98, "its interval covers it, at 100 B, where it is named");
}

/* The more samples of a leak there are, the surer it is named. */
static void test_power(void)
{
    static const double samples[] = {12, 20, 40, 160};
    double last = 0;
    bool rises = true;
    for (int i = 0; i < 4; i++) {
        int named = 0;
        for (int seed = 0; seed < seeds; seed++) {
            struct kp_program program;
            struct kp_leaks leaks;
            kp_program_begin(&program, ITERATIONS, (uint64_t)(seed + 555));
            kp_shapes[0].fill(&program);
            kp_program_leak(&program, samples[i] * RATE / ITERATIONS - 16, 1);
            kp_program_judge(&program, RATE, &leaks);
            named += leaks.verdict >= KP_LEAK_PROBABLE;
            kp_leaks_release(&leaks);
            kp_program_release(&program);
        }
        printf("# %.0f samples: named in %.3f\n", samples[i], (double)named / seeds);
        rises &= named >= last - 0.03 * seeds;
        last = named;
    }
    kp_check(rises && last >= 0.99 * seeds, "power rises with the samples, to all of 160",
             "%g of %d", last, seeds);
}

/* Totals that say this much, over these places; how many are said to leak. */
static int settle(struct kp_leak_site *sites, size_t count, double live_low, double live_high)
{
    struct kp_leaks leaks = {.has_marks = true, .iterations = 1000, .begin = 1, .end = 1000,
                             .gap = 4096, .sites = sites, .site_count = count,
                             .outside = {.module = "", .allocator = ""}};
    int named = 0;
    leaks.live = (struct kp_trend){.is_known = true, .grows = true, .no_logarithm = true,
                                   .rate = {(live_low + live_high) / 2, live_low, live_high}};
    kp_leaks_decide(&leaks);
    for (size_t i = 0; i < count; i++)
        named += leaks.sites[i].verdict >= KP_LEAK_PROBABLE;
    return named;
}

/* A place whose samples came in bursts, and totals that say this much of a rate of 1,000. */
static bool settled(bool is_doubtful, double live_low, double live_high)
{
    struct kp_leak_site site = {
        .cohort = {.shape = KP_COHORT_UNEVEN, .is_doubtful = is_doubtful, .survivors = 100,
                   .generations = 90, .p = 1e-6, .rate = {1000, 800, 1200}, .error = 80},
        .module = ""};
    return settle(&site, 1, live_low, live_high) == 1;
}

/* A place that leaks 400, and one that seems to slow down; or this one alone. */
static int settled_slowing(double slowing, bool slowing_alone, double live_low, double live_high)
{
    struct kp_leak_site sites[2] = {
        {.cohort = {.shape = KP_COHORT_LINEAR, .survivors = 100, .generations = 90, .p = 1e-6,
                    .rate = {400, 300, 500}, .error = 40}, .module = ""},
        {.cohort = {.shape = KP_COHORT_SLOWING, .is_doubtful = true, .needs_company = true,
                    .survivors = 100, .generations = 90, .p = 1e-6,
                    .rate = {slowing, 0.8 * slowing, 1.2 * slowing}, .error = 0.1 * slowing},
         .module = ""}};
    return slowing_alone ? settle(&sites[1], 1, live_low, live_high)
                         : settle(sites, 2, live_low, live_high);
}

static void test_doubt(void)
{
    kp_check(settled(true, 980, 1020),
             "bursts that may be chance: totals that agree make it a leak", "it is none");
    kp_check(!settled(false, 980, 1020), "surely in bursts: it is none", "it is");
    kp_check(!settled(true, 300, 1900), "totals that are not clear settle nothing", "they do");
    kp_check(!settled(true, 400, 420), "totals that do not agree neither", "they do");
    kp_check(settled_slowing(600, false, 980, 1020) == 2,
             "what leaks at two places is told of both, where the totals need both", "it is not");
    kp_check(settled_slowing(600, false, 410, 420) == 1, "where one is enough, of one", "it is not");
    kp_check(settled_slowing(5000, false, 980, 1020) == 1, "and where the other would be too much", "it is not");
    kp_check(settled_slowing(1000, true, 980, 1020) == 1 && settled_slowing(1000, true, 900, 1100) == 0,
             "what seems to slow down alone is a leak only where the totals leave no doubt", "it is not");
}

int main(void)
{
    if (getenv("KPROF_TEST_LONG") && strcmp(getenv("KPROF_TEST_LONG"), "1") == 0)
        seeds = 1000;
    test_clean();
    test_doubt();
    test_leaks();
    test_power();
    return kp_checks_failed();
}
