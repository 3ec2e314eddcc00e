/* SPDX-License-Identifier: MIT */
/*
 * The tables of the ingest against simple models: the set of live samples, the timeline that
 * widens, the readings that are thinned, the sums of sites.
 */
#include "collect_case.h"
#include "live_set.h"
#include "memory_series.h"
#include "site_table.h"
#include "timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IDS 4096

static uint64_t state = 1;

static uint64_t next_random(uint64_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

/* Ids as they come: several slots, counters that rise. */
static uint64_t id_of(uint64_t n)
{
    return (n % 7) << 44 | n / 7;
}

static bool is_listed_in_order(const struct kp_live_set *set, uint64_t count)
{
    uint64_t seen = 0, last = 0;

    for (uint32_t n = set->first_unstored; n; n = kp_live_set_at(set, n)->next, seen++) {
        if (kp_live_set_at(set, n)->born_us < last)
            return false;
        last = kp_live_set_at(set, n)->born_us;
    }
    return seen == count && set->unstored == count;
}

/* Rows are given and a commit fails, then one succeeds; half of what has rows is freed. */
static void stored_samples(struct kp_live_set *set)
{
    int64_t row = 0;
    uint32_t before = set->count, wrong = 0;

    for (int attempt = 0; attempt < 2; attempt++)
        for (uint32_t n = set->first_unstored; n; n = kp_live_set_at(set, n)->next) {
            wrong += kp_live_set_is_stored(set, kp_live_set_at(set, n));
            kp_live_set_at(set, n)->row = ++row;
        }
    kp_live_set_settle(set, row);
    for (uint64_t n = 0; n < IDS; n += 2) {
        struct kp_live_sample *sample = kp_live_set_find(set, id_of(n));
        wrong += sample && !kp_live_set_is_stored(set, sample);
        if (sample)
            kp_live_set_remove(set, sample);
    }
    for (uint64_t n = 0; n < IDS; n += 2)
        wrong += kp_live_set_is_stored(set, kp_live_set_insert(set, id_of(n)));
    kp_check(!wrong && set->unstored == IDS / 2 && set->count >= before,
             "what has a row is known, over failed commits and frees", "%u wrong", wrong);
}

static void live_set(void)
{
    struct kp_live_set set = {0};
    static bool there[IDS];
    uint64_t count = 0, wrong = 0;

    for (uint64_t step = 1; step < 400000; step++) {
        uint64_t n = next_random(IDS);
        struct kp_live_sample *found = kp_live_set_find(&set, id_of(n));

        wrong += (found != NULL) != there[n] || (found && found->size != n);
        if (found) {
            kp_live_set_remove(&set, found);
        } else {
            struct kp_live_sample *sample = kp_live_set_insert(&set, id_of(n));
            sample->size = n;
            sample->born_us = step;
        }
        there[n] = !there[n];
        count += there[n] ? 1 : -1u;
    }
    kp_check(!wrong && set.count == (uint32_t)count,
             "the set of live samples agrees with a model", "%llu wrong of 400,000",
             (unsigned long long)wrong);
    kp_check(is_listed_in_order(&set, set.count), "those without a row are listed as they came",
             "they are not");
    kp_check(!kp_live_set_insert(&set, kp_live_set_at(&set, set.first_unstored)->id),
             "an id is taken once", "it was taken twice");
    stored_samples(&set);
    kp_live_set_release(&set);
}

static void timeline(void)
{
    struct kp_slices slices = {0};
    struct kp_slice_sums one = {.samples = 1, .allocated_bytes = 3, .freed_count = 1};
    uint64_t samples = 0, most = 0;
    double bytes = 0;

    one.rate_min = one.rate_max = 7;
    for (int i = 0; i < 20000; i++) {
        /* A run of three hours, with records that come late. */
        uint64_t now = 5000000u + (uint64_t)i * 540000u;
        kp_slices_add(&slices, now - next_random(5000000), &one);
        most = slices.count > most ? slices.count : most;
    }
    for (uint32_t i = 0; i < slices.count; i++) {
        samples += slices.slices[i].samples;
        bytes += slices.slices[i].allocated_bytes;
    }
    kp_check(samples == 20000 && bytes == 60000, "widening slices loses nothing", "%llu samples",
             (unsigned long long)samples);
    kp_check(most <= KP_SLICES_MAX && slices.count > KP_SLICES_MAX / 4, "300 to 600 slices",
             "%llu, at the end %u", (unsigned long long)most, slices.count);
    kp_check(slices.slice_us == 25600000, "three hours have slices of 25.6 s", "%llu us",
             (unsigned long long)slices.slice_us);
    kp_slices_release(&slices);
}

static void readings(void)
{
    struct kp_memory_series series = {0};
    bool in_order = true;
    uint32_t most = 0, taken = 0;

    for (uint64_t now = 0; now < 3600000000u; now += 50000u) {
        struct kp_reading reading = {.time_us = now, .rss = now == 1800000000u ? 77 : 5};

        if (!kp_memory_series_is_due(&series, now))
            continue;
        kp_memory_series_add(&series, &reading);
        most = series.count > most ? series.count : most;
        if (++taken % 10 == 0)
            kp_memory_series_settle(&series);
    }
    for (uint32_t i = 1; i < series.count; i++)
        in_order &= series.readings[i].time_us > series.readings[i - 1].time_us;
    kp_check(in_order && most <= KP_READINGS_MAX && series.count > 400,
             "an hour has 500 to 1,000 readings", "%u, at most %u", series.count, most);
    kp_check(series.period_us == 6400000, "they are 6.4 s apart then", "%llu us",
             (unsigned long long)series.period_us);
    kp_check(series.peak_rss >= 5, "the peak is kept", "%llu", (unsigned long long)series.peak_rss);
    kp_memory_series_release(&series);
}

static void sums(void)
{
    struct kp_site_table table = {0};
    struct kp_dirty_sites dirty = {0};
    int64_t next_row = 1;
    struct kp_site_sums like = {.process = 1, .stack = 5, .kind = KP_KIND_MALLOC};
    struct kp_site_sums *site = kp_site_get(&table, &like, &next_row);
    struct kp_live_sample a = {.size = 100, .weight = 4}, b = {.size = 10, .weight = 1};

    kp_site_add(site, &a, 512);
    kp_site_add(site, &b, 1);
    kp_check(site->allocated_bytes.value == 410 && site->allocated_count.value == 5,
             "a sample stands for its weight", "%f", site->allocated_bytes.value);
    kp_check(site->allocated_bytes.variance == 100.0 * 100 * 4 * 3 &&
                 site->allocated_count.variance == 12,
             "and has its variance; weight 1 has none", "%f", site->allocated_bytes.variance);
    kp_site_resize(site, &a, 50);
    kp_check(site->live_bytes.value == 210, "a mapping that shrinks", "%f", site->live_bytes.value);
    a.size = 50;
    kp_site_remove(site, &a);
    kp_check(site->live_bytes.value == 10 && site->live_samples == 1 && site->rate_max == 512,
             "a free takes off what the block was worth", "%f", site->live_bytes.value);
    kp_site_remove(site, &b);
    kp_check(site->live_bytes.value == 0 && site->live_count.largest == 0 &&
                 site->allocated_bytes.value == 410,
             "nothing live is exactly 0", "%g", site->live_bytes.value);
    struct kp_site_sums kind = like, stamp = like;
    kind.kind = KP_KIND_NEW;
    stamp.stamp = 1;
    kp_check(kp_site_get(&table, &like, &next_row) == site &&
                 kp_site_get(&table, &kind, &next_row) != site &&
                 kp_site_get(&table, &stamp, &next_row) != site,
             "a site is found again, by kind and by what ran", "it is not");
    kp_site_table_release(&table);
    kp_dirty_sites_settle(&dirty);
}

int main(void)
{
    live_set();
    timeline();
    readings();
    sums();
    return kp_checks_failed();
}
