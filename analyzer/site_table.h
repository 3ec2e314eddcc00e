/* SPDX-License-Identifier: MIT */
/*
 * Sites: what one stack allocated in one process, by kind and by the entry that ran (conversions:
 * shim/record/record.h), as sums over samples (the columns of table site). Bytes are weighed by 1/p
 * (shim/record/weight.h); a sample of size s and weight w adds s*w bytes with variance s^2 w(w-1),
 * and w blocks with variance w(w-1). With w = 1 all sums are exact. One thread.
 */
#ifndef KP_SITE_TABLE_H
#define KP_SITE_TABLE_H

#include "id_index.h"
#include "lifetime.h"
#include "live_set.h"
#include "site_threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_weighed {
    double value, variance, largest;
};

struct kp_site_sums {
    int64_t row;
    uint32_t process; /* number */
    uint32_t stack;
    uint16_t stamp; /* kp_rec_alloc.flags: the entry, and whether it was converting */
    uint8_t kind;
    bool stored, dirty;
    uint64_t samples, live_samples;
    struct kp_weighed allocated_bytes, allocated_count, live_bytes, live_count;
    uint64_t rate_max;
    uint64_t first_us, last_us;
    struct kp_lifetimes lifetimes;
    struct kp_site_threads *threads; /* not in the database yet; NULL: of the main thread all */
};

/* The sites of one process. */
struct kp_site_table {
    struct kp_site_sums **sites; /* [1 .. count] */
    size_t capacity;
    uint32_t count;
    struct kp_index index;
};

/* Those to be written with the next commit. */
struct kp_dirty_sites {
    struct kp_site_sums **sites;
    size_t capacity, count;
};

void kp_site_table_release(struct kp_site_table *table);
/* Finds or makes the one with the process, stack, kind and stamp of `like`; a new one takes the next
 * row number. */
struct kp_site_sums *kp_site_get(struct kp_site_table *table, const struct kp_site_sums *like,
                                 int64_t *next_row);

void kp_site_touch(struct kp_dirty_sites *dirty, struct kp_site_sums *site);
/* A sample was born, died, or shrank to `size_now`. Its size, weight and site are read. */
void kp_site_add(struct kp_site_sums *site, const struct kp_live_sample *sample, uint64_t rate);
void kp_site_remove(struct kp_site_sums *site, const struct kp_live_sample *sample);
void kp_site_resize(struct kp_site_sums *site, const struct kp_live_sample *sample,
                    uint64_t size_now);
/* Sums the live samples of a process anew, which rids them of the rounding of many additions and
 * subtractions, and finds the true largest weights. Where all weights were 1, it is so. */
void kp_site_table_recount(struct kp_site_table *table, const struct kp_live_set *set,
                           struct kp_dirty_sites *dirty);
/* The dirty ones are in the database. */
void kp_dirty_sites_settle(struct kp_dirty_sites *dirty);

/* 0: not converting, 1: to Python, 2: from Python; and the flags of it. */
unsigned kp_site_converting(uint16_t stamp);
uint16_t kp_site_stamp(uint16_t entry, unsigned converting);

/* 'malloc', 'new', ... for enum kp_kind. */
const char *kp_kind_name(unsigned kind);
/* 0: no such kind. */
unsigned kp_kind_from_name(const char *name);
/* Counts towards "allocated" and "live": arenas hold blocks that are counted themselves, and
 * reservations are address space only. */
bool kp_kind_is_memory(unsigned kind);

#endif
