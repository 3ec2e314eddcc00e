/* SPDX-License-Identifier: MIT */
/*
 * A recorded process while it has anything in the spool: its definitions, writer slots and chunks,
 * live samples, sites and series. When it has ended and all of it is in the database, all this is
 * let go. One thread.
 */
#ifndef KP_PROCESS_TABLE_H
#define KP_PROCESS_TABLE_H

#include "conversion_table.h"
#include "recorded_code.h"
#include "departed.h"
#include "live_set.h"
#include "memory_series.h"
#include "outside.h"
#include "phases.h"
#include "process_watch.h"
#include "record.h"
#include "site_table.h"
#include "snapshot_table.h"
#include "timeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_module_ref {
    uint32_t id;     /* the shim's */
    uint32_t module; /* in the stack tree */
    uint64_t bias;
};

/* A shim's node: its stack, and the site that was asked for last. */
struct kp_node {
    uint32_t stack;
    bool is_known;
    struct kp_site_sums *site;
};

#define KP_NODE_PAGE 256u
#define KP_NODE_ID_MAX (1u << 28)
#define KP_ID_STEP_MAX 65536u /* ids rise; a larger step is damage */

struct kp_thread_row {
    int64_t row;
    uint32_t tid;
    char name[16];
    uint64_t first_us, samples;
    bool stored, dirty;
};

/* A DATA chunk and how far it has been read. */
struct kp_data_chunk {
    struct kp_data_chunk *next; /* of the same slot, in order of seq */
    uint32_t index, seq;
    uint64_t first_sample;
    uint32_t offset;        /* read up to here */
    uint32_t stored_offset; /* what the database says */
    uint32_t limit;         /* published when this round began */
    bool is_done;           /* nothing will be appended behind the limit */
    uint8_t *buffer;        /* the records [buffer_from, buffer_to), NULL: not read */
    uint32_t buffer_from, buffer_to;
    /* what the records so far have said */
    uint64_t samples, time_us, iteration, rate;
    struct kp_thread_row *thread;
};

struct kp_slot_queue {
    struct kp_data_chunk *first, *last;
    struct kp_data_chunk *current; /* the first that is not read to its end */
    uint64_t next_sample; /* all with a smaller counter have been read */
    uint64_t waits_for;   /* id of a sample that must come before we go on; 0: none */
    bool is_old_wait;     /* it already waited when the last round ended */
    uint64_t given_up;    /* the last one that never came */
    /* A snapshot must come before we go on: time of what is behind it, or the snapshot's number when
     * it is next here. 0: none. */
    uint64_t waits_until_us, at_snapshot;
};

struct kp_definition_chunk {
    uint32_t index, seq, offset;
};

/* A process that marks more iterations than this keeps every second, fourth, ... of them. */
#define KP_MARKS_MAX 131072u

struct kp_mark_row {
    uint64_t iteration, time_us, rate;
    struct kp_thread_row *thread;
};

/* What the allocators said at a mark. */
struct kp_totals_row {
    uint64_t iteration, rss, malloc_used, malloc_held, object_held, object_used, object_blocks;
};

struct kp_recorded {
    uint32_t number;
    uint32_t chunk; /* index of its PROCESS chunk */
    struct kp_process_info info;
    char *exe, *argv, *allocator, *python, *directory; /* argv as JSON; NULL: not told yet */
    char **notes;
    size_t note_capacity;
    uint32_t note_count, notes_stored;
    struct kp_watched watched;

    struct kp_definition_chunk *definitions; /* in order of seq; the first is the PROCESS chunk */
    size_t definition_capacity;
    uint32_t definition_count, definition_open; /* those before this are read to their end */
    struct kp_module_ref *modules; /* in order of id */
    size_t module_capacity;
    uint32_t module_count;
    struct kp_recorded_codes codes;
    struct kp_node **nodes; /* pages of KP_NODE_PAGE */
    size_t node_capacity;
    uint32_t node_page_count, last_node;

    struct kp_slot_queue **slots; /* NULL: not used */
    size_t slot_capacity;
    uint32_t slot_count;
    struct kp_thread_row **threads; /* [1 .. thread_count] */
    size_t thread_capacity;
    uint32_t thread_count;
    struct kp_index thread_index;

    struct kp_live_set live;
    struct kp_departed departed;
    struct kp_site_table sites;
    struct kp_slices timeline;
    struct kp_memory_series memory;
    struct kp_phases phases;
    struct kp_conversion_table conversions;
    struct kp_mark_row *marks; /* not in the database yet */
    size_t mark_capacity, mark_count;
    struct kp_totals_row *totals; /* not in the database yet */
    size_t totals_capacity, totals_count;
    uint64_t mark_step; /* only iterations that it divides are kept, see KP_MARKS_MAX */
    uint64_t marks_stored;
    bool marks_thinned; /* rows that it does not divide are still there */

    struct kp_snapshots snapshots;
    struct kp_outside outside; /* its mappings, as last read */
    uint64_t snapshot_now; /* its turn has come: all slots are there */

    uint64_t last_us;       /* of the latest record */
    uint64_t ended_us;      /* 0: running */
    uint64_t detail_due_us; /* of the next detailed reading */
    const char *end;        /* NULL: running */
    bool was_gone;          /* when this round began */
    bool was_seen;          /* running, by us */
    bool is_drained;        /* all that it had published when this round began is read */
    bool is_over;           /* gone and drained: goes with the next commit */
    bool stored, dirty;     /* its row */
};

struct kp_recorded *kp_process_new(uint32_t number);
void kp_process_free(struct kp_recorded *process);

/* NULL: the process has no such node. */
struct kp_node *kp_process_node(struct kp_recorded *process, uint32_t id);
/* Where it would be, known or not; NULL: nowhere. */
static inline struct kp_node *kp_process_node_at(const struct kp_recorded *process, uint32_t id)
{
    uint32_t page = id / KP_NODE_PAGE;

    return page < process->node_page_count && process->nodes[page]
               ? &process->nodes[page][id % KP_NODE_PAGE]
               : NULL;
}
/* Makes room for it; NULL when the id is impossible. */
struct kp_node *kp_process_node_new(struct kp_recorded *process, uint32_t id);
/* NULL: no such module. */
const struct kp_module_ref *kp_process_module(const struct kp_recorded *process, uint32_t id);

struct kp_slot_queue *kp_process_slot(struct kp_recorded *process, uint32_t slot);
/* The thread with this tid; a new one takes the next row. A name that has changed replaces the old
 * one. Beyond KP_THREADS_MAX all share one row of tid 0. */
#define KP_THREADS_MAX 65536u
struct kp_thread_row *kp_process_thread(struct kp_recorded *process, uint32_t tid, const char *name,
                                        int64_t *next_row);
/* Samples that were read; the shim's own counter may have been cut off. */
uint64_t kp_process_samples(const struct kp_recorded *process);
/* Puts a DATA chunk behind those of its slot. */
void kp_process_add_chunk(struct kp_recorded *process, uint32_t slot, struct kp_data_chunk *chunk);

#endif
