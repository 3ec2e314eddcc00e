/* SPDX-License-Identifier: MIT */
/*
 * Speed-ups, efficiencies and bounds against two published tables of measurements, fed in as they
 * stand: an embedding service with 1 to 5 threads on texts of three sizes, and a video pipeline with
 * 1 to 8 workers on six files. Amdahl's fit on curves whose serial fraction is known.
 */
#include "scaling.h"
#include "unit_check.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct row {
    double workers, measured, speed_up, efficiency_percent; /* the last two as published */
};

/* Texts per second. */
static const struct row threads_1000[] = {
    {1, 57.9, 1.00, 100}, {2, 57.0, 0.99, 49}, {3, 54.9, 0.95, 32},
    {4, 46.5, 0.80, 20},  {5, 53.3, 0.92, 18},
};
static const struct row threads_2000[] = {
    {1, 38.6, 1.00, 100}, {2, 54.4, 1.41, 70}, {3, 54.0, 1.40, 47},
    {4, 52.9, 1.37, 34},  {5, 53.3, 1.38, 28},
};
static const struct row threads_5000[] = {
    {1, 27.3, 1.00, 100}, {2, 46.7, 1.71, 86}, {3, 47.1, 1.73, 58},
    {4, 46.1, 1.69, 42},  {5, 49.8, 1.83, 37},
};
/* Seconds for six files. */
static const struct row one_session[] = {
    {1, 145.94, 1.00, 100}, {2, 107.43, 1.36, 68}, {4, 106.41, 1.37, 34}, {8, 98.51, 1.48, 19}};
static const struct row session_pool[] = {
    {1, 142.59, 1.00, 100}, {2, 107.01, 1.33, 67}, {4, 107.37, 1.33, 33}, {8, 92.22, 1.55, 19}};
static const struct row blocking[] = {
    {1, 152.42, 1.00, 100}, {2, 117.21, 1.30, 65}, {4, 119.39, 1.28, 32}, {8, 111.71, 1.36, 17}};
static const double files_s[] = {2.75, 9.82, 9.83, 34.84, 21.60, 63.75};

/* Published figures are rounded, and some of their percentages cut. */
static void check_table(const char *name, const struct row *rows, size_t count, bool is_time)
{
    struct kp_scaling_point points[8];
    char what[120], worst[120] = "";
    for (size_t i = 0; i < count; i++) {
        double measured = is_time ? 1 / rows[i].measured : rows[i].measured;
        points[i] = (struct kp_scaling_point){rows[i].workers, measured};
        double speed_up = kp_speed_up(&points[0], &points[i]);
        double percent = 100 * kp_efficiency(&points[0], &points[i]);
        if (fabs(speed_up - rows[i].speed_up) > 0.01 ||
            fabs(percent - rows[i].efficiency_percent) > 1)
            snprintf(worst, sizeof worst, "%g workers: %.3f and %.1f %%, published %.2f and %g",
                     rows[i].workers, speed_up, percent, rows[i].speed_up,
                     rows[i].efficiency_percent);
    }
    snprintf(what, sizeof what, "speed-ups and efficiencies as published: %s", name);
    kp_say(what, worst);
}

static void test_published(void)
{
    check_table("texts of 1000 characters", threads_1000, COUNT(threads_1000), false);
    check_table("texts of 2000 characters", threads_2000, COUNT(threads_2000), false);
    check_table("texts of 5000 characters", threads_5000, COUNT(threads_5000), false);
    check_table("one session for all", one_session, COUNT(one_session), true);
    check_table("a pool of sessions", session_pool, COUNT(session_pool), true);
    check_table("work that blocks", blocking, COUNT(blocking), true);
}

static void test_bound(void)
{
    struct kp_job_bound bound = kp_job_bound(files_s, COUNT(files_s), 8);
    kp_check(fabs(bound.total_s - 142.59) < 1e-9 && bound.longest_s == 63.75,
             "six files take 142.59 s one after another, the longest 63.75 s", "%g s, %g s",
             bound.total_s, bound.longest_s);
    kp_check(fabs(bound.speed_up - 2.237) < 0.001,
             "the longest file bounds the speed-up at 2.23 (as published, cut)", "%g",
             bound.speed_up);
    kp_check(fabs(100 * 1.36 / bound.speed_up - 61) < 1,
             "1.36 is 61 % of what could be had", "%g", 100 * 1.36 / bound.speed_up);
    kp_check(fabs(100 * 1.55 / bound.speed_up - 70) < 1, "1.55 is 70 % of what could be had", "%g",
             100 * 1.55 / bound.speed_up);
    bound = kp_job_bound(files_s, COUNT(files_s), 2);
    kp_check(fabs(bound.speed_up - 2) < 1e-9, "two workers cannot be more than twice as fast", "%g",
             bound.speed_up);
    double uniform[10];
    for (int i = 0; i < 10; i++)
        uniform[i] = 20;
    bound = kp_job_bound(uniform, 10, 8);
    kp_check(fabs(bound.speed_up - 8) < 1e-9, "ten equal files on 8 workers: 8.0", "%g",
             bound.speed_up);
}

static void test_amdahl(void)
{
    static const double serials[] = {0, 0.05, 0.3, 1, 1.2};
    for (size_t k = 0; k < COUNT(serials); k++) {
        struct kp_scaling_point points[4];
        char what[80];
        for (int i = 0; i < 4; i++) {
            double n = 1 << i;
            points[i] = (struct kp_scaling_point){n, 7 / (serials[k] + (1 - serials[k]) / n)};
        }
        double found = kp_amdahl_serial(points, 4);
        snprintf(what, sizeof what, "a serial fraction of %g is found", serials[k]);
        kp_check(fabs(found - serials[k]) < 1e-9, what, "%g", found);
    }
    struct kp_scaling_point one = {4, 10};
    kp_check(isnan(kp_amdahl_serial(&one, 1)), "one number of workers tells no serial fraction",
             "a number");
    kp_check(isinf(kp_amdahl_limit(0)) && fabs(kp_amdahl_limit(0.25) - 4) < 1e-12,
             "the limit is one by the serial fraction", "%g", kp_amdahl_limit(0.25));
}

int main(void)
{
    test_published();
    test_bound();
    test_amdahl();
    return kp_checks_failed();
}
