/* SPDX-License-Identifier: MIT */
/*
 * The steps of leak_trend.h. Marks with readings may be irregular: a block without readings gives
 * no valley. Pure functions, any thread.
 */
#include "leak_trend.h"

#include <math.h>
#include <stdlib.h>

#define BLOCKS_MAX 24       /* to find the start */
#define SLOPE_BLOCKS_MAX 16 /* longer ones: a saw has a valley in each */
#define BLOCKS_MIN 6
#define READINGS_A_BLOCK 4
#define TEST_BLOCKS 10
#define TEST_T 1.860
#define START_LAST 0.6
#define SIDE_MIN 4 /* valleys on each side of a break */
#define ROUNDS 3
#define SPACING_LEAST 0.75 /* of the mean distance of late readings */
#define NOISE_FLOOR 2e-3 /* of the range: rounder than a straight line need not be */
#define ROUNDING 0.004 /* of the rate: what allocators add to sizes is not known better */
#define SLOWING_SHARE (2.0 / 3)
#define SLOWING_P 0.005
#define STEADY_SHARE 0.9
#define STEADY_ERROR 0.15 /* of the first slope */

struct valleys {
    double at[BLOCKS_MAX], value[BLOCKS_MAX];
    size_t count;
};

struct line {
    double slope, start, squares, spread; /* squares of residuals; of `at` about its mean */
};

static struct line fit(const struct valleys *v, size_t first, size_t last)
{
    double n = (double)(last - first), x = 0, y = 0, xy = 0;
    struct line line = {0};
    for (size_t i = first; i < last; i++) {
        x += v->at[i] / n;
        y += v->value[i] / n;
    }
    for (size_t i = first; i < last; i++) {
        line.spread += (v->at[i] - x) * (v->at[i] - x);
        xy += (v->at[i] - x) * (v->value[i] - y);
    }
    line.slope = line.spread > 0 ? xy / line.spread : 0;
    line.start = y - line.slope * x;
    for (size_t i = first; i < last; i++) {
        double off = v->value[i] - line.start - line.slope * v->at[i];
        line.squares += off * off;
    }
    return line;
}

static void find_valleys(const struct kp_reading_point *points, size_t count, double from,
                         double to, size_t blocks, double slope, struct valleys *v)
{
    size_t block = SIZE_MAX;
    double lowest = 0;
    v->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (points[i].at < from || points[i].at > to)
            continue;
        size_t here = (size_t)((points[i].at - from) / (to - from) * (double)blocks);
        double low = points[i].value - slope * points[i].at;
        here = here < blocks ? here : blocks - 1;
        if (here == block && low >= lowest)
            continue;
        v->count += here != block;
        block = here;
        lowest = low;
        v->at[v->count - 1] = points[i].at;
        v->value[v->count - 1] = points[i].value;
    }
}

static size_t readings_in(const struct kp_reading_point *points, size_t count, double from,
                          double to)
{
    size_t inside = 0;
    for (size_t i = 0; i < count; i++)
        inside += points[i].at >= from && points[i].at <= to;
    return inside;
}

static size_t block_count(size_t readings, size_t most)
{
    size_t blocks = readings / READINGS_A_BLOCK;
    return blocks < BLOCKS_MIN ? BLOCKS_MIN : blocks > most ? most : blocks;
}

static struct line find_line(const struct kp_reading_point *points, size_t count, double from,
                             double to, size_t most, struct valleys *v)
{
    struct line line = {0};
    size_t blocks = block_count(readings_in(points, count, from, to), most);
    for (int i = 0; i < ROUNDS; i++) {
        find_valleys(points, count, from, to, blocks, line.slope, v);
        line = fit(v, 0, v->count);
    }
    return line;
}

static double range_of(const struct valleys *v)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < v->count; i++) {
        low = fmin(low, v->value[i]);
        high = fmax(high, v->value[i]);
    }
    return v->count > 0 ? high - low : 0;
}

/* Two lines instead of one cost three more parameters. */
static double find_break(const struct valleys *v, double from)
{
    double n = (double)v->count, best = INFINITY, at = from;
    double floor = n * pow(NOISE_FLOOR * range_of(v), 2);
    for (size_t i = SIDE_MIN; i + SIDE_MIN <= v->count; i++) {
        double squares = fit(v, 0, i).squares + fit(v, i, v->count).squares;
        if (squares < best) {
            best = squares;
            at = v->at[i];
        }
    }
    double one = fit(v, 0, v->count).squares + floor, two = best + floor;
    return one > 0 && n * log(one / two) > 3 * log(n) + 2 ? at : from;
}

/* Marks are looked at more often at first: valleys of many readings lie deeper than those of few,
 * so that the early ones are thinned until they are as far apart as the late ones. */
static struct kp_reading_point *thin(const struct kp_reading_point *points, size_t *count,
                                     double from, double to)
{
    double middle = (from + to) / 2, last = -INFINITY;
    struct kp_reading_point *kept = calloc(*count + 1, sizeof *kept);
    size_t late = readings_in(points, *count, middle, to), n = 0;
    double apart = late > 0 ? SPACING_LEAST * (to - middle) / (double)late : 0;
    for (size_t i = 0; kept && i < *count; i++) {
        if (points[i].at < from || points[i].at > to || points[i].at - last < apart)
            continue;
        kept[n++] = points[i];
        last = points[i].at;
    }
    *count = n;
    return kept;
}

double kp_trend_find_start(const struct kp_reading_point *all, size_t count, double begin,
                           double end)
{
    double start = begin, last = begin + START_LAST * (end - begin);
    struct kp_reading_point *points = thin(all, &count, begin, end);
    struct valleys v;
    while (readings_in(points, count, start, end) >= KP_TREND_READINGS_MIN) {
        find_line(points, count, start, end, BLOCKS_MAX, &v);
        double next = find_break(&v, start);
        if (next <= start || next > last)
            break;
        start = next;
    }
    free(points);
    return start;
}

/* Of the 9 differences of the lowest readings of 10 blocks. */
static bool test_valleys(const struct kp_reading_point *points, size_t count, double from,
                         double to)
{
    struct valleys v;
    double mean = 0, squares = 0;
    find_valleys(points, count, from, to, TEST_BLOCKS, 0, &v);
    if (v.count < TEST_BLOCKS)
        return false;
    for (size_t i = 1; i < TEST_BLOCKS; i++)
        mean += (v.value[i] - v.value[i - 1]) / (TEST_BLOCKS - 1);
    for (size_t i = 1; i < TEST_BLOCKS; i++)
        squares += pow(v.value[i] - v.value[i - 1] - mean, 2);
    double error = sqrt(squares / (TEST_BLOCKS - 2)) / sqrt(TEST_BLOCKS - 1);
    return mean > 0 && mean > TEST_T * error;
}

static double error_of(const struct line *line, size_t valleys)
{
    if (valleys < 3 || !(line->spread > 0))
        return INFINITY;
    return sqrt(line->squares / (double)(valleys - 2) / line->spread);
}

/* Valleys that lean on each other (a queue that drains slowly) say less than their number. The
 * correlation of neighbours comes out too small by about 3/n. */
static double correlation_factor(const struct valleys *v, const struct line *line)
{
    double sum = 0, last = 0;
    for (size_t i = 0; i < v->count; i++) {
        double off = v->value[i] - line->start - line->slope * v->at[i];
        sum += i > 0 ? off * last : 0;
        last = off;
    }
    if (!(line->squares > 0))
        return 1;
    double r = fmin(fmax(sum / line->squares + 3.0 / (double)v->count, 0), 0.8);
    return sqrt((1 + r) / (1 - r));
}

/* Slopes of the two halves, each with its own scatter. */
static void compare_halves(const struct valleys *v, struct kp_trend *trend)
{
    size_t half = v->count / 2;
    if (half < 3)
        return;
    struct line first = fit(v, 0, half), second = fit(v, half, v->count);
    double error = hypot(error_of(&first, half), error_of(&second, v->count - half));
    double less = first.slope - second.slope;
    trend->slowing = second.slope < SLOWING_SHARE * first.slope &&
                     kp_t_tail(less / fmax(error, 1e-12), (double)v->count - 4) < SLOWING_P;
    trend->steady = second.slope + error > STEADY_SHARE * first.slope &&
                    error < STEADY_ERROR * first.slope;
}

static void judge(const struct kp_reading_point *points, size_t count, double start, double end,
                  struct kp_trend *trend)
{
    struct valleys v;
    struct line line = find_line(points, count, start, end, SLOPE_BLOCKS_MAX, &v);
    trend->is_known = v.count >= KP_TREND_READINGS_FEW - 1;
    if (!trend->is_known)
        return;
    trend->df = (double)v.count - 2;
    trend->error = hypot(error_of(&line, v.count) * correlation_factor(&v, &line),
                         ROUNDING * line.slope);
    double half = kp_t_quantile(0.025, trend->df) * trend->error;
    trend->rate = (struct kp_estimate){line.slope, line.slope - half, line.slope + half};
    trend->grows = count < KP_TREND_READINGS_MIN ? trend->rate.low > 0
                                                 : test_valleys(points, count, start, end);
    compare_halves(&v, trend);
    trend->needed = kp_t_quantile(0.05, trend->df) * trend->error;
}

struct kp_trend kp_trend_judge(const struct kp_reading_point *all, size_t count, double start,
                               double end)
{
    struct kp_trend trend = {.start = start};
    struct kp_reading_point *points = thin(all, &count, start, end);
    if (points && count >= KP_TREND_READINGS_FEW)
        judge(points, count, start, end, &trend);
    free(points);
    return trend;
}
