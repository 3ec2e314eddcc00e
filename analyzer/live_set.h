/* SPDX-License-Identifier: MIT */
/*
 * Samples that have not been freed. The pool holds those of all processes, a set finds those of
 * one process by the shim's id. Most samples live so briefly that they come and go between two
 * commits and never become rows: the pool keeps a list, in order of arrival, of those that have no
 * row yet. Memory is proportional to the live samples. One thread.
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
    int64_t row;             /* in the database; has a meaning once stored */
    uint32_t previous, next; /* in the list of those that have no row */
    bool stored;             /* has a row that is committed */
};

#define KP_LIVE_SEGMENT 4096u

struct kp_live_pool {
    struct kp_live_sample **segments;
    size_t segment_capacity;
    uint32_t count; /* ever made: [1 .. count] */
    uint32_t free;  /* list of free ones through next */
    uint32_t first_unstored, last_unstored;
    uint64_t unstored, live;
};

struct kp_live_set_place {
    uint64_t id;
    uint32_t sample; /* number in the pool, 0: empty */
};

struct kp_live_set {
    struct kp_live_set_place *places;
    uint32_t mask, count;
};

static inline struct kp_live_sample *kp_live_set_at(const struct kp_live_pool *pool,
                                                    uint32_t number)
{
    return &pool->segments[number / KP_LIVE_SEGMENT][number % KP_LIVE_SEGMENT];
}

void kp_live_pool_release(struct kp_live_pool *pool);

/* Adds a sample, at the end of the unstored ones; the caller fills the rest. NULL: there is one of
 * this id. The pointer holds until the sample is removed. */
struct kp_live_sample *kp_live_set_insert(struct kp_live_pool *pool, struct kp_live_set *set,
                                          uint64_t id);
/* NULL: none. */
struct kp_live_sample *kp_live_set_find(const struct kp_live_pool *pool,
                                        const struct kp_live_set *set, uint64_t id);
void kp_live_set_remove(struct kp_live_pool *pool, struct kp_live_set *set, uint64_t id);
/* All of them have rows now. */
void kp_live_set_settle(struct kp_live_pool *pool);
/* Takes a sample that was read from the database out of the unstored ones. */
void kp_live_set_mark_stored(struct kp_live_pool *pool, const struct kp_live_set *set, uint64_t id);
/* Lets the whole set go. */
void kp_live_set_release(struct kp_live_pool *pool, struct kp_live_set *set);

#endif
