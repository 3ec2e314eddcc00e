/* SPDX-License-Identifier: MIT */
/*
 * The steps of leak_trend.h. Marks with readings may be irregular: a block without readings gives
 * no valley. Pure functions, any thread.
 */
#include "leak_trend.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOCKS_MAX 48       /* to walk back */
#define BREAK_BLOCKS_MAX 24
#define FACTOR_DF 20.0 /* it comes of so many samples, or of more */
#define SLOPE_BLOCKS_MAX 16 /* longer ones: a saw has a valley in each */
#define BLOCKS_MIN 6
#define READINGS_A_BLOCK 4
#define TEST_BLOCKS 10
#define TEST_T 1.860
#define START_LAST 0.6
#define SIDE_MIN 4 /* valleys on each side of a break */
#define ROUNDS 3
#define ASTRAY_LEAST 0.06 /* of the range: a break that changes less does not matter */
#define OFF_LINE_P 1e-4
#define OVER_LOG_LEAST 2.0 /* of log-likelihood */
#define LOG_SHARE_MOST 0.5
#define NOISE_FLOOR 2e-3 /* of the range: rounder than a straight line need not be */
#define SLOWING_SHARE (2.0 / 3)
#define SLOWING_P 0.005
#define LOG_BEFORE 4.0 /* a logarithm is drawn from a fourth of the start on */

struct valleys {
    double at[BLOCKS_MAX], value[BLOCKS_MAX];
    double lowest[BLOCKS_MAX]; /* value, without the slope so far */
    bool evenly;               /* of as many readings each; else of all that there are */
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

/* The window, cut into equal blocks. */
struct blocks {
    double from, to;
    size_t count, readings[BLOCKS_MAX];
    size_t offered; /* readings that each offers at most */
};

static size_t block_at(const struct blocks *b, double at)
{
    size_t here = (size_t)((at - b->from) / (b->to - b->from) * (double)b->count);
    return here < b->count ? here : b->count - 1;
}

static bool is_inside(const struct blocks *b, const struct kp_reading_point *point)
{
    return point->at >= b->from && point->at <= b->to;
}

static int compare_counts(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return (a > b) - (a < b);
}

/* The lowest of many readings lies deeper than that of few: were marks looked at ever more seldom,
 * a saw would seem to grow. So each block offers no more than the poorest have; an eighth of them
 * may have fewer. Where a break is looked for, all count: it is larger, and less noise tells it. */
static void cut(struct blocks *b, const struct kp_reading_point *points, size_t count)
{
    size_t sorted[BLOCKS_MAX] = {0}, filled = 0;
    for (size_t i = 0; i < count; i++)
        if (is_inside(b, &points[i]))
            b->readings[block_at(b, points[i].at)]++;
    for (size_t i = 0; i < b->count; i++)
        if (b->readings[i] > 0)
            sorted[filled++] = b->readings[i];
    qsort(sorted, filled, sizeof *sorted, compare_counts);
    b->offered = filled > 0 ? sorted[filled / 8] : 0;
}

/* Those that are offered are spread evenly over their block. */
static bool is_offered(const struct blocks *b, size_t block, size_t which)
{
    size_t all = b->readings[block];
    return all <= b->offered || (which + 1) * b->offered / all > which * b->offered / all;
}

static void find_valleys(const struct kp_reading_point *points, size_t count, double from,
                         double to, size_t blocks, double slope, struct valleys *v)
{
    struct blocks b = {.from = from, .to = to, .count = blocks};
    size_t block = SIZE_MAX, which = 0;
    bool is_first = false; /* of those that its block offers */
    cut(&b, points, count);
    if (!v->evenly)
        b.offered = SIZE_MAX;
    v->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_inside(&b, &points[i]))
            continue;
        size_t here = block_at(&b, points[i].at);
        double low = points[i].value - slope * points[i].at;
        is_first = is_first || here != block;
        which = here == block ? which + 1 : 0;
        block = here;
        if (!is_offered(&b, here, which) || (!is_first && low >= v->lowest[v->count - 1]))
            continue;
        v->count += is_first;
        is_first = false;
        v->lowest[v->count - 1] = low;
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

/* So many that also those of the poorer half have their readings. */
static size_t block_count(const struct kp_reading_point *points, size_t count, double from,
                          double to, size_t most)
{
    double middle = (from + to) / 2;
    double first = (double)readings_in(points, count, from, middle);
    double second = (double)readings_in(points, count, middle, to);
    size_t blocks = (size_t)(2 * fmin(first, second) / READINGS_A_BLOCK);
    return blocks < BLOCKS_MIN ? BLOCKS_MIN : blocks > most ? most : blocks;
}

static struct line find_line(const struct kp_reading_point *points, size_t count, double from,
                             double to, size_t most, struct valleys *v)
{
    struct line line = {0};
    size_t blocks = block_count(points, count, from, to, most);
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

/* Two lines instead of one cost three more parameters, and must matter: the first one, drawn on,
 * would go astray. */
static bool find_break(const struct valleys *v, struct kp_trend_start *start)
{
    double n = (double)v->count, best = INFINITY, range = range_of(v);
    double floor = n * pow(NOISE_FLOOR * range, 2), one = fit(v, 0, v->count).squares + floor;
    size_t at = 0;
    for (size_t i = SIDE_MIN; i + SIDE_MIN <= v->count; i++) {
        double squares = fit(v, 0, i).squares + fit(v, i, v->count).squares + floor;
        if (squares < best) {
            best = squares;
            at = i;
        }
    }
    if (at == 0 || !(n * log(one / best) > 3 * log(n) + 2))
        return false;
    struct line before = fit(v, 0, at), after = fit(v, at, v->count);
    double end = v->at[v->count - 1];
    double astray = after.start + after.slope * end - before.start - before.slope * end;
    *start = (struct kp_trend_start){v->at[at], v->at[at], before.slope < after.slope};
    return fabs(astray) > ASTRAY_LEAST * range;
}

/* How far from the line through valleys [i, count) the one before may lie, and does. */
static bool is_off_line(const struct valleys *v, size_t i, size_t which, double *off)
{
    struct line line = fit(v, i, v->count);
    double n = (double)(v->count - i), middle = 0, floor = NOISE_FLOOR * range_of(v);
    for (size_t j = i; j < v->count; j++)
        middle += v->at[j] / n;
    double away = v->at[which] - middle;
    double error = sqrt(line.squares / (n - 2) * (1 + 1 / n + away * away / line.spread));
    *off = v->value[which] - line.start - line.slope * v->at[which];
    return fabs(*off) > kp_t_quantile(OFF_LINE_P, n - 2) * hypot(error, floor);
}

/* From the end backwards, as long as the valleys go on along their line; one that does not may be
 * chance, two are none. */
static struct kp_trend_start walk_back(const struct valleys *v, double begin, double last)
{
    double off, farther;
    size_t i = v->count;
    while (i > 0 && v->at[i - 1] >= last)
        i--;
    if (v->count < i + SIDE_MIN)
        return (struct kp_trend_start){begin, begin, false};
    for (; i > 0; i--)
        if (is_off_line(v, i, i - 1, &off) && (i < 2 || is_off_line(v, i, i - 2, &farther)))
            return (struct kp_trend_start){v->at[i], v->at[i], off > 0};
    return (struct kp_trend_start){begin, begin, false};
}

/* The last break; then from the end backwards, which finds the end of a warm-up that is too short
 * for a line of its own. */
struct kp_trend_start kp_trend_find_start(const struct kp_reading_point *points, size_t count,
                                          double begin, double end)
{
    double last = begin + START_LAST * (end - begin);
    struct kp_trend_start start = {begin, begin, false}, next, back;
    struct valleys v = {0};
    while (readings_in(points, count, start.at, end) >= KP_TREND_READINGS_MIN) {
        find_line(points, count, start.at, end, BREAK_BLOCKS_MAX, &v);
        if (!find_break(&v, &next) || next.at <= start.at || next.at > last)
            break;
        start = next;
    }
    start.onset = start.at;
    if (readings_in(points, count, start.at, end) < KP_TREND_READINGS_MIN)
        return start;
    find_line(points, count, begin, end, BLOCKS_MAX, &v);
    back = walk_back(&v, begin, last);
    if (back.begins && back.at >= start.at) {
        start.onset = back.at;
        start.begins = true;
    }
    return start;
}

/* Of the 9 differences of the lowest readings of 10 blocks. */
static bool test_valleys(const struct kp_reading_point *points, size_t count, double from,
                         double to)
{
    struct valleys v = {.evenly = true};
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

/* Valleys that lean on each other (a cache whose blocks differ in size, a queue that drains slowly)
 * say less than their number. The correlation of neighbours comes out too small by about 3/n. */
static double correlation_of(const struct valleys *v, const struct line *line)
{
    double sum = 0, last = 0;
    for (size_t i = 0; i < v->count; i++) {
        double off = v->value[i] - line->start - line->slope * v->at[i];
        sum += i > 0 ? off * last : 0;
        last = off;
    }
    if (!(line->squares > 0))
        return 0;
    return fmin(fmax(sum / line->squares + 3.0 / (double)v->count, 0), 0.8);
}

/* The variance of a line through valleys of which neighbours are correlated is 1 + 2r of that of
 * independent ones (Bartlett, J. R. Stat. Soc. 98, 1935). It is known as well as the scatter,
 * 2/(n - 2), and r, 1/n, are; a factor of the values is known by other means. Degrees of freedom
 * after Satterthwaite. */
static void find_error(const struct valleys *v, const struct line *line, double factor_error,
                       struct kp_trend *trend)
{
    double n = (double)v->count, wider = 1 + 2 * correlation_of(v, line);
    double scatter = error_of(line, v->count) * sqrt(wider);
    trend->error = hypot(scatter, factor_error * line->slope);
    double df = 1 / (1 / (n - 2) + 2 / (n * wider * wider));
    double parts = pow(scatter, 4) / df + pow(factor_error * line->slope, 4) / FACTOR_DF;
    trend->df = parts > 0 ? pow(trend->error, 4) / parts : df;
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
}

/* Squares that y = slope x leaves, of the differences of valleys; x: time, or its logarithm. */
static double squares_of_steps(const struct valleys *v, double begin, bool logarithm)
{
    double xx = 0, xy = 0, yy = 0;
    for (size_t i = 1; i < v->count; i++) {
        double y = v->value[i] - v->value[i - 1], x = v->at[i] - v->at[i - 1];
        if (logarithm)
            x = log((v->at[i] - begin + 1) / (v->at[i - 1] - begin + 1));
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    return xx > 0 ? yy - xy * xy / xx : yy;
}

/* Growth like that of the logarithm never ends, but is no leak; long after its beginning it looks
 * like one. */
static void compare_with_logarithm(const struct valleys *v, double begin, struct kp_trend *trend)
{
    double n = (double)v->count - 1, floor = n * pow(NOISE_FLOOR * range_of(v), 2);
    double line = squares_of_steps(v, begin, false) + floor;
    double logarithm = squares_of_steps(v, begin, true) + floor;
    trend->no_logarithm = line > 0 && n / 2 * log(logarithm / line) > OVER_LOG_LEAST;
}

static double value_at(const struct kp_reading_point *points, size_t count, double at)
{
    size_t i = 0;
    while (i + 1 < count && points[i + 1].at <= at)
        i++;
    return points[i].value;
}

/* Of the growth since the start, what a logarithm through the time before would have given: as much
 * as before in each doubling. */
static double log_share(const struct kp_reading_point *all, size_t count,
                        const struct kp_trend *trend, double end)
{
    double begin = all[0].at - 1, length = trend->start - begin;
    double before = value_at(all, count, trend->start) -
                    value_at(all, count, begin + length / LOG_BEFORE);
    double since = trend->rate.value * (end - trend->start);
    if (length < LOG_BEFORE || !(since > 0))
        return 0;
    return before / log(LOG_BEFORE) * log((end - begin) / length) / since;
}

static void judge(const struct kp_reading_point *points, size_t count, size_t inside, double start,
                  double end, double factor_error, struct kp_trend *trend)
{
    struct valleys v = {.evenly = true};
    struct line line = find_line(points, count, start, end, SLOPE_BLOCKS_MAX, &v);
    trend->is_known = v.count >= KP_TREND_READINGS_FEW - 1;
    if (!trend->is_known)
        return;
    find_error(&v, &line, factor_error, trend);
    double half = kp_t_quantile(0.025, trend->df) * trend->error;
    trend->rate = (struct kp_estimate){line.slope, line.slope - half, line.slope + half};
    trend->grows = inside < KP_TREND_READINGS_MIN ? trend->rate.low > 0
                                                 : test_valleys(points, count, start, end);
    compare_halves(&v, trend);
    compare_with_logarithm(&v, points[0].at, trend);
    trend->needed = kp_t_quantile(0.05, trend->df) * trend->error;
}

struct kp_trend kp_trend_judge(const struct kp_reading_point *points, size_t count, double start,
                               double end, double factor_error)
{
    struct kp_trend trend = {.start = start};
    size_t inside = readings_in(points, count, start, end);
    if (inside >= KP_TREND_READINGS_FEW)
        judge(points, count, inside, start, end, factor_error, &trend);
    if (trend.is_known && log_share(points, count, &trend, end) < LOG_SHARE_MOST)
        trend.no_logarithm = true;
    return trend;
}
