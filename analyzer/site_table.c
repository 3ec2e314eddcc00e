/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of sites, see site_table.h.
 */
#include "site_table.h"

#include "alloc.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
    [KP_KIND_MALLOC] = "malloc", [KP_KIND_NEW] = "new",     [KP_KIND_MMAP] = "mmap",
    [KP_KIND_RESERVE] = "reserve", [KP_KIND_ARENA] = "arena", [KP_KIND_OBJECT] = "object",
    [KP_KIND_MEM] = "mem",
};

const char *kp_kind_name(unsigned kind)
{
    return kind_names[kind];
}

unsigned kp_kind_from_name(const char *name)
{
    for (unsigned kind = KP_KIND_MALLOC; kind <= KP_KIND_LAST; kind++)
        if (!strcmp(name, kind_names[kind]))
            return kind;
    return 0;
}

bool kp_kind_is_memory(unsigned kind)
{
    return kind != KP_KIND_RESERVE && kind != KP_KIND_ARENA;
}

unsigned kp_site_converting(uint16_t stamp)
{
    if (!(stamp & KP_ALLOC_CONVERTING))
        return 0;
    return stamp & KP_ALLOC_FROM_PYTHON ? 2 : 1;
}

uint16_t kp_site_stamp(uint16_t entry, unsigned converting)
{
    return KP_ALLOC_FLAGS(entry, (converting ? KP_ALLOC_CONVERTING : 0) |
                                     (converting == 2 ? KP_ALLOC_FROM_PYTHON : 0));
}

void kp_site_table_release(struct kp_site_table *table)
{
    for (uint32_t i = 1; i <= table->count; i++) {
        kp_lifetimes_release(&table->sites[i]->lifetimes);
        free(table->sites[i]->threads);
        free(table->sites[i]);
    }
    free(table->sites);
    kp_index_free(&table->index);
    memset(table, 0, sizeof *table);
}

static bool is_like(const struct kp_site_sums *site, const struct kp_site_sums *like)
{
    return site->stack == like->stack && site->kind == like->kind && site->stamp == like->stamp;
}

struct kp_site_sums *kp_site_get(struct kp_site_table *table, const struct kp_site_sums *like,
                                 int64_t *next_row)
{
    uint64_t hash = kp_hash2(like->stack, (uint32_t)like->kind << 16 | like->stamp);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&table->index, hash, &at)))
        if (is_like(table->sites[id], like))
            return table->sites[id];
    id = ++table->count;
    table->sites =
        kp_array_grow(table->sites, &table->capacity, (size_t)id + 1, sizeof *table->sites);
    struct kp_site_sums *site = table->sites[id] = kp_alloc(sizeof *site);
    site->row = (*next_row)++;
    site->process = like->process;
    site->stack = like->stack;
    site->kind = like->kind;
    site->stamp = like->stamp;
    kp_index_insert(&table->index, hash, id);
    return site;
}

void kp_site_touch(struct kp_dirty_sites *dirty, struct kp_site_sums *site)
{
    if (site->dirty)
        return;
    site->dirty = true;
    dirty->sites =
        kp_array_grow(dirty->sites, &dirty->capacity, dirty->count + 1, sizeof *dirty->sites);
    dirty->sites[dirty->count++] = site;
}

static void sum_add(struct kp_weighed *sum, double value, double variance)
{
    sum->value += value;
    sum->variance += variance;
    if (value > sum->largest)
        sum->largest = value;
}

static void sum_remove(struct kp_weighed *sum, double value, double variance)
{
    sum->value -= value;
    sum->variance -= variance;
}

/* What one sample is worth. */
struct worth {
    double bytes, bytes_variance, count, count_variance;
};

static inline struct worth worth_of(const struct kp_live_sample *sample)
{
    double size = (double)sample->size, weight = sample->weight, spread = weight * (weight - 1);

    return (struct worth){size * weight, size * size * spread, weight, spread};
}

static void live_add(struct kp_site_sums *site, const struct worth *worth)
{
    site->live_samples++;
    sum_add(&site->live_bytes, worth->bytes, worth->bytes_variance);
    sum_add(&site->live_count, worth->count, worth->count_variance);
}

void kp_site_add(struct kp_site_sums *site, const struct kp_live_sample *sample, uint64_t rate)
{
    struct worth worth = worth_of(sample);

    if (site->samples++ == 0 || sample->born_us < site->first_us)
        site->first_us = sample->born_us;
    if (sample->born_us > site->last_us)
        site->last_us = sample->born_us;
    if (rate > site->rate_max)
        site->rate_max = rate;
    sum_add(&site->allocated_bytes, worth.bytes, worth.bytes_variance);
    sum_add(&site->allocated_count, worth.count, worth.count_variance);
    live_add(site, &worth);
}

static void clear_live(struct kp_site_sums *site)
{
    site->live_bytes = site->live_count = (struct kp_weighed){0};
    site->live_samples = 0;
}

void kp_site_remove(struct kp_site_sums *site, const struct kp_live_sample *sample)
{
    struct worth worth = worth_of(sample);

    if (site->live_samples <= 1) {
        clear_live(site);
        return;
    }
    site->live_samples--;
    sum_remove(&site->live_bytes, worth.bytes, worth.bytes_variance);
    sum_remove(&site->live_count, worth.count, worth.count_variance);
}

void kp_site_resize(struct kp_site_sums *site, const struct kp_live_sample *sample,
                    uint64_t size_now)
{
    struct worth before = worth_of(sample);
    struct kp_live_sample shrunk = *sample;

    shrunk.size = size_now;
    struct worth after = worth_of(&shrunk);
    sum_remove(&site->live_bytes, before.bytes, before.bytes_variance);
    sum_add(&site->live_bytes, after.bytes, after.bytes_variance);
}

static bool is_exact(const struct kp_site_table *table)
{
    for (uint32_t i = 1; i <= table->count; i++)
        if (table->sites[i]->allocated_count.variance > 0)
            return false;
    return true;
}

void kp_site_table_recount(struct kp_site_table *table, const struct kp_live_set *set,
                           struct kp_dirty_sites *dirty)
{
    if (is_exact(table))
        return;
    for (uint32_t i = 1; i <= table->count; i++) {
        if (table->sites[i]->live_samples)
            kp_site_touch(dirty, table->sites[i]);
        clear_live(table->sites[i]);
    }
    for (uint32_t at = 0; set->places && at <= set->mask; at++) {
        if (!set->places[at].sample)
            continue;
        const struct kp_live_sample *sample = kp_live_set_at(set, set->places[at].sample);
        struct worth worth = worth_of(sample);

        live_add(sample->site, &worth);
    }
}

void kp_dirty_sites_settle(struct kp_dirty_sites *dirty)
{
    for (size_t i = 0; i < dirty->count; i++) {
        dirty->sites[i]->stored = true;
        dirty->sites[i]->dirty = false;
        kp_lifetimes_settle(&dirty->sites[i]->lifetimes);
        if (dirty->sites[i]->threads)
            *dirty->sites[i]->threads = (struct kp_site_threads){0};
    }
    dirty->count = 0;
}
