/* SPDX-License-Identifier: MIT */
/*
 * The thinning of readings, see memory_series.h.
 */
#include "memory_series.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static uint64_t period_of(const struct kp_memory_series *series)
{
    return series->period_us ? series->period_us : KP_READING_PERIOD_US;
}

bool kp_memory_series_is_due(const struct kp_memory_series *series, uint64_t now_us)
{
    return series->count == 0 ||
           now_us >= series->readings[series->count - 1].time_us + period_of(series);
}

static void drop(struct kp_memory_series *series, const struct kp_reading *reading)
{
    if (!reading->stored)
        return;
    series->dropped = kp_array_grow(series->dropped, &series->dropped_capacity,
                                    series->dropped_count + 1, sizeof *series->dropped);
    series->dropped[series->dropped_count++] = reading->time_us;
}

/* Of each two neighbours keeps the more detailed one, or the first. */
static void thin(struct kp_memory_series *series)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < series->count; i += 2) {
        uint32_t other = i + 1 < series->count ? i + 1 : i;
        uint32_t keep =
            !series->readings[i].has_detail && series->readings[other].has_detail ? other : i;

        if (other != i)
            drop(series, &series->readings[keep == i ? other : i]);
        series->readings[kept++] = series->readings[keep];
    }
    series->count = kept;
    series->period_us = period_of(series) * 2;
}

static void append(struct kp_memory_series *series, const struct kp_reading *reading)
{
    series->readings = kp_array_grow(series->readings, &series->capacity, series->count + 1,
                                     sizeof *series->readings);
    series->readings[series->count++] = *reading;
    if (reading->rss > series->peak_rss)
        series->peak_rss = reading->rss;
}

void kp_memory_series_add(struct kp_memory_series *series, const struct kp_reading *reading)
{
    if (series->count && reading->time_us <= series->readings[series->count - 1].time_us)
        return;
    append(series, reading);
    series->dirty = true;
    if (series->count > KP_READINGS_MAX)
        thin(series);
}

void kp_memory_series_load(struct kp_memory_series *series, const struct kp_reading *reading)
{
    append(series, reading);
    if (series->count < 2)
        return;
    uint64_t span = reading->time_us - series->readings[0].time_us;
    while (period_of(series) * series->count < span)
        series->period_us = period_of(series) * 2;
}

void kp_memory_series_settle(struct kp_memory_series *series)
{
    for (uint32_t i = series->count; i-- > 0 && !series->readings[i].stored;)
        series->readings[i].stored = true;
    series->dropped_count = 0;
    series->dirty = false;
}

void kp_memory_series_release(struct kp_memory_series *series)
{
    free(series->readings);
    free(series->dropped);
    memset(series, 0, sizeof *series);
}
