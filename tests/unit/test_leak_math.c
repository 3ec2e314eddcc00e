/* SPDX-License-Identifier: MIT */
/*
 * The distributions and tests of the leak analysis against published tables and closed forms.
 */
#include "leak_exposure.h"
#include "leak_math.h"
#include "unit_check.h"

#include <math.h>
#include <stdio.h>

static void test_student(void)
{
    static const struct {
        double p, df, t;
    } known[] = {{0.025, 7, 2.364624}, {0.05, 8, 1.859548},    {0.025, 1, 12.706205},
                 {0.05, 30, 1.697261}, {0.025, 120, 1.979930}, {0.005, 4, 4.604095}};
    double worst = 0, turned = 0;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        worst = fmax(worst, fabs(kp_t_quantile(known[i].p, known[i].df) - known[i].t));
        turned = fmax(turned, fabs(kp_t_tail(-known[i].t, known[i].df) - 1 + known[i].p));
    }
    kp_check(worst < 1e-5, "quantiles of Student's t are those of the tables", "off by %g", worst);
    kp_check(turned < 1e-6, "its tails are mirrored", "off by %g", turned);
    kp_check(fabs(kp_t_tail(1.959964, 1e7) - 0.025) < 1e-6, "with many degrees it is the normal",
             "%g", kp_t_tail(1.959964, 1e7));
    kp_check(kp_t_tail(NAN, 5) == 1, "no figure is no evidence", "%g", kp_t_tail(NAN, 5));
}

static void test_kolmogorov(void)
{
    double p = kp_ks_tail(0.409, 10); /* the 5 % point for n = 10 */
    kp_check(fabs(p - 0.05) < 0.004, "5 % of samples of 10 are farther off than 0.409", "%g", p);
    kp_check(kp_ks_tail(0.01, 50) == 1 && kp_ks_tail(0.9, 50) < 1e-12,
             "no distance is likely, a large one is not", "%g", kp_ks_tail(0.9, 50));
}

static void test_poisson(void)
{
    struct kp_estimate none = kp_poisson_interval(0), ten = kp_poisson_interval(10);
    kp_check(none.low == 0 && fabs(none.high - 3.688879) < 1e-5, "the interval of a count of 0",
             "%g to %g", none.low, none.high);
    kp_check(fabs(ten.low - 4.795389) < 1e-5 && fabs(ten.high - 18.390356) < 1e-5,
             "the interval of a count of 10", "%g to %g", ten.low, ten.high);
}

/* The example of Benjamini and Hochberg (1995): of 15 tests, 4 fall. */
static void test_many(void)
{
    static const double p[] = {0.6528, 0.0001, 0.0298, 0.0019, 0.4262, 0.0095, 0.3240, 0.0004,
                               0.0459, 0.5719, 0.0201, 0.7590, 0.0278, 1.0000, 0.0344};
    bool falls[15];
    int count = 0;
    kp_benjamini_hochberg(p, 15, 0.05, falls);
    for (int i = 0; i < 15; i++)
        count += falls[i];
    kp_check(count == 4 && falls[1] && falls[7] && falls[3] && falls[5],
             "of the 15 tests of Benjamini and Hochberg four fall", "%d fall", count);
    kp_benjamini_hochberg(p, 0, 0.05, falls);
}

static void test_welch(void)
{
    struct kp_measured now = {20.6, 1.5, 9}, before = {22.1, 0.5, 15}, sure = {7, 0, 0};
    struct kp_welch w = kp_welch_compare(&now, &before), same = kp_welch_compare(&sure, &sure);
    double df = pow(2.25 + 0.25, 2) / (2.25 * 2.25 / 9 + 0.25 * 0.25 / 15);
    double half = kp_t_quantile(0.025, df) * sqrt(2.5);
    kp_check(fabs(w.difference.value + 1.5) < 1e-12 && fabs(w.difference.high + 1.5 - half) < 1e-9,
             "the difference of two rates has Welch's interval", "%g +- %g", w.difference.value,
             w.difference.high - w.difference.value);
    kp_check(w.p > 0.3 && w.p < 0.4, "and his p", "%g", w.p);
    kp_check(same.difference.high == 0 && same.p == 1, "exact and equal rates do not differ", "%g",
             same.p);
}

static void test_exposure(void)
{
    static const struct kp_rate_at rates[] = {{0, 100000}, {500, 1000}};
    struct kp_exposure e;
    double worst = 0;
    kp_exposure_make(&e, rates, 2, 0, 1000, 50);
    for (double at = 0; at <= 1000; at += 7)
        worst = fmax(worst, fabs(kp_exposure_unstretch(&e, kp_exposure_stretch(&e, at)) - at));
    kp_check(worst < 1e-6, "stretched time can be taken back", "off by %g", worst);
    kp_check(kp_exposure_density(&e, 700) > 90 * kp_exposure_density(&e, 300),
             "a time that was looked at a hundred times as closely counts as much more", "%g",
             kp_exposure_density(&e, 700) / kp_exposure_density(&e, 300));
    kp_exposure_make(&e, rates, 2, 0, 1000, 1e9);
    kp_check(fabs(kp_exposure_stretch(&e, 250) - 250) < 1e-6,
             "for blocks that are always seen, time is even", "%g", kp_exposure_stretch(&e, 250));
}

int main(void)
{
    test_student();
    test_kolmogorov();
    test_poisson();
    test_many();
    test_welch();
    test_exposure();
    return kp_checks_failed();
}
