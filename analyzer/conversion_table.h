/* SPDX-License-Identifier: MIT */
/*
 * What a process converts between Python and native data: its entries into native code, their exact
 * counts (rows of conversion_api.h, read from the blocks of counters as they stand now), and sums
 * over the activations that were drawn, by entry and calling stack. An activation that was drawn
 * with weight w stands for w of them; the variance of a sum of x is w * (w - 1) * x^2 summed, its
 * covariance with the number of calls w * (w - 1) * x.
 * One thread.
 */
#ifndef KP_CONVERSION_TABLE_H
#define KP_CONVERSION_TABLE_H

#include "id_index.h"
#include "record.h"
#include "site_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_entry_counts {
    uint64_t calls[KP_API_ROWS], amounts[KP_API_ROWS]; /* amounts may be sums of changes */
    uint32_t threads; /* slots that have a block of it */
};

struct kp_entry_row {
    uint16_t id; /* the shim's, unique in the process */
    uint16_t kind;
    uint32_t module; /* in the stack tree */
    char *name;
    bool dirty;
    struct kp_entry_counts counts, fresh; /* fresh: while blocks are being added up */
};

/* Times in ns, weighed. */
enum kp_call_time {
    KP_CALL_TOTAL,
    KP_CALL_CONVERTING,
    KP_CALL_TO_PYTHON,
    KP_CALL_FROM_PYTHON,
    KP_CALL_TIMES
};

/* A sum over weighed activations: its variance, and its covariance with their number. */
struct kp_call_sum {
    double value, variance, covariance;
};

/* What the activations of one entry from one stack sum up to. */
struct kp_call_sums {
    uint16_t entry;
    uint32_t stack;
    bool dirty;
    uint64_t samples;
    double calls, calls_variance, wait_ns, released_ns, conversions[2], strings, repeated;
    struct kp_call_sum times[KP_CALL_TIMES];
};

struct kp_conversion_table {
    struct kp_entry_row **entries; /* [1 .. entry_end) by id, NULL where there is none */
    size_t entry_capacity;
    uint32_t entry_end;
    uint32_t *blocks; /* indices of the chunks that hold its counters */
    size_t block_capacity;
    uint32_t block_count;
    struct kp_call_sums **calls; /* [1 .. call_count] */
    size_t call_capacity;
    uint32_t call_count;
    struct kp_index call_index;
};

void kp_conversions_release(struct kp_conversion_table *table);

/* Takes the name over. What comes second with the same id is left out. */
void kp_conversions_define(struct kp_conversion_table *table, const struct kp_rec_entry *record,
                           uint32_t module, char *name);
/* NULL: no such entry. */
struct kp_entry_row *kp_conversions_entry(const struct kp_conversion_table *table, uint32_t id);

/* Counts are read anew each time: begin, add every block, end; true when something has changed. A
 * block of an entry that is not defined yet is left out. */
void kp_conversions_begin_counts(struct kp_conversion_table *table);
void kp_conversions_add_block(struct kp_conversion_table *table, const struct kp_counter_block *block);
bool kp_conversions_end_counts(struct kp_conversion_table *table);

/* Finds or makes. */
struct kp_call_sums *kp_conversions_calls(struct kp_conversion_table *table, uint32_t entry,
                                          uint32_t stack);
void kp_conversions_add_activation(struct kp_conversion_table *table, uint32_t stack,
                                   const struct kp_rec_activation *record);

/* All of it is in the database. */
void kp_conversions_settle(struct kp_conversion_table *table);

/* 'method', 'slot', 'thread', 'module'. */
const char *kp_entry_kind_name(unsigned kind);

/* The table of the API: names, and what an amount counts ('bytes', 'items', 'ns', ''). */
struct kp_api_info {
    const char *name;
    enum kp_api_class class;
    enum kp_direction direction;
    int objects, copies;
    enum kp_unit unit;
};
extern const struct kp_api_info kp_api_rows[KP_API_ROWS];
const char *kp_unit_name(enum kp_unit unit);
const char *kp_direction_name(enum kp_direction direction); /* 'to_python', 'from_python', '' */

#endif
