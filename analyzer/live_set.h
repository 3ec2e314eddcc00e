/* SPDX-License-Identifier: MIT */
/*
 * The samples of one process that have not been freed, by the shim's id. Most live so briefly that
 * they come and go between two commits and never become rows: a list holds, in order of arrival,
 * those that have no row yet. Memory is proportional to the live samples. One thread.
 */
#ifndef KP_LIVE_SET_H
#define KP_LIVE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_site_sums;
struct kp_thread_row;

struct kp_live_sample {
    uint64_t id; /* the shim's, unique in the process */
    uint64_t size, address;
    double weight; /* 1/p */
    struct kp_site_sums *site;
    struct kp_thread_row *thread;
    uint64_t born_us, born_iteration;
    int64_t row;             /* in the database, 0: was never written; see kp_live_set_is_stored() */
    uint32_t previous, next; /* in the list of those that have no row */
};

#define KP_LIVE_SEGMENT 512u

struct kp_live_place {
    uint32_t sample; /* its number, 0: empty */
    uint32_t hash;   /* of its id */
};

struct kp_live_set {
    struct kp_live_sample **segments;
    size_t segment_capacity;
    uint32_t made; /* samples ever made: [1 .. made] */
    uint32_t free; /* list of free ones through next */
    uint32_t first_unstored, last_unstored, unstored;
    int64_t rows_stored; /* rows up to this one are committed */
    struct kp_live_place *places;
    uint32_t mask, count;
};

static inline struct kp_live_sample *kp_live_set_at(const struct kp_live_set *set, uint32_t number)
{
    return &set->segments[number / KP_LIVE_SEGMENT][number % KP_LIVE_SEGMENT];
}

/* Has it a row that is committed? */
static inline bool kp_live_set_is_stored(const struct kp_live_set *set,
                                         const struct kp_live_sample *sample)
{
    return sample->row && sample->row <= set->rows_stored;
}

void kp_live_set_release(struct kp_live_set *set);

/* Adds a sample, at the end of the unstored ones; the caller fills the rest. NULL: there is one of
 * this id. The pointer holds until the sample is removed. */
struct kp_live_sample *kp_live_set_insert(struct kp_live_set *set, uint64_t id);
/* NULL: none. */
struct kp_live_sample *kp_live_set_find(const struct kp_live_set *set, uint64_t id);
/* It will be looked for soon: what that reads may come nearer meanwhile. */
void kp_live_set_expect(const struct kp_live_set *set, uint64_t id);
void kp_live_set_remove(struct kp_live_set *set, struct kp_live_sample *sample);
/* All of them have rows now, none above `last_row`. */
void kp_live_set_settle(struct kp_live_set *set, int64_t last_row);
/* A sample that was read from the database has this row; rows come in order. */
void kp_live_set_mark_stored(struct kp_live_set *set, struct kp_live_sample *sample, int64_t row);

#endif
