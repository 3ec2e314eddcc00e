/* SPDX-License-Identifier: MIT */
/*
 * What a recording says about conversions between Python and native data, by entry: the same
 * function of several processes is one entry. Counts are exact; times are estimates from
 * activations drawn at random, bytes allocated and retained from sampled allocations.
 */
#ifndef KP_CONVERSIONS_H
#define KP_CONVERSIONS_H

#include "query.h"
#include "record.h"

struct kp_api_count {
    double calls, amount; /* amount in the unit of kp_api_rows[] */
};

/* One direction of an entry; index enum kp_direction. */
struct kp_conversion_way {
    double conversions;    /* calls of the C API */
    double bytes;          /* of strings, bytes and buffers; exact */
    double payload;        /* those, and 8 for each number; 1 where it is stored as a byte */
    double objects;        /* Python objects made */
    double copies;         /* times that those bytes were copied */
    struct kp_sum time;    /* s, from the first conversion to the last of each call */
    struct kp_sum allocated, allocated_count, retained; /* by conversions; bytes, blocks */
};

struct kp_entry {
    const char *name, *module; /* module: its path, "" where there is none */
    const char *kind;          /* "method", "slot", "thread", "module" */
    int64_t processes, threads;
    double calls;
    struct kp_api_count api[KP_API_ROWS];
    struct kp_conversion_way ways[2];
    struct kp_sum total, converting; /* s, of whole calls, and of their conversions both ways */
    double gil_wait_s, gil_waits;    /* exact; times that the GIL was asked for */
    double gil_hold_s;
    double repeated; /* share of the short strings made: the same as some shortly before */
    int64_t stack_id;         /* of the caller whose calls convert longest; 0: not known */
};

/* A stack that calls an entry; estimates. */
struct kp_caller {
    int64_t stack_id;
    double calls, converting_s;
};

struct kp_entries {
    struct kp_entry *items; /* those that convert, costliest first */
    size_t count;
    struct kp_sum allocated;     /* by all conversions, also of entries that are not known */
    struct kp_sum all_allocated; /* by the whole run */
    struct kp_sum retained;
    struct kp_sum converting, total;
    double gil_wait_s;
    double lived_s; /* life of the processes that have entries, together */
    int64_t processes_on, processes_off; /* where conversions are counted, and where they are not */
    int64_t patched_modules, lost_entries, lost_blocks, lost_activations;
};

int kp_query_entries(struct kp_query *query, const struct kp_filter *filter,
                     struct kp_entries *entries, struct kp_error *error);
void kp_entries_release(struct kp_entries *entries);

/* Who calls an entry, longest first. */
struct kp_callers {
    struct kp_caller *items;
    size_t count;
};
int kp_query_callers(struct kp_query *query, const struct kp_filter *filter,
                     const struct kp_entry *entry, struct kp_callers *callers,
                     struct kp_error *error);
void kp_callers_release(struct kp_callers *callers);

/* Bytes allocated for each byte of payload; -1: there was none. */
double kp_conversion_amplification(const struct kp_conversion_way *way);
/* Calls of the API in both directions. */
double kp_entry_conversions(const struct kp_entry *entry);

#endif
