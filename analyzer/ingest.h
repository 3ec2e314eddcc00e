/* SPDX-License-Identifier: MIT */
/*
 * From records to rows. A round takes what the writers have published so far, in an order that
 * makes every reference resolvable; a flush writes what has changed as one transaction, together
 * with how far each chunk has been read. A killed collector is therefore taken up exactly where
 * its last commit was: definitions are read again, live samples come back from table sample.
 *
 * A round may stop early when it has read enough for one batch. Chunks are given back only after
 * the commit that made their rows durable. One thread.
 */
#ifndef KP_INGEST_H
#define KP_INGEST_H

#include "error.h"
#include "event_list.h"
#include "exit_watch.h"
#include "import_context.h"
#include "live_set.h"
#include "process_table.h"
#include "process_watch.h"
#include "site_table.h"
#include "spool_reader.h"
#include "stack_tree.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a chunk index of the spool holds, as far as we have seen. */
struct kp_chunk_ref {
    bool is_known;
    uint32_t seq;
    uint8_t kind;
    struct kp_recorded *process; /* NULL: of none that we know */
    struct kp_data_chunk *data;  /* of a DATA chunk */
};

struct kp_freed_row {
    int64_t row;
    uint64_t size; /* of a row that has shrunk */
};

struct kp_row_list {
    struct kp_freed_row *rows;
    size_t capacity, count;
};

struct kp_cursor {
    uint32_t seq, offset;
};

/* A DATA chunk that the scan has found. */
struct kp_new_chunk {
    struct kp_chunk_header header;
    uint32_t index, limit;
    bool is_done;
};

struct kp_ingest {
    struct kp_spool *spool;
    struct kp_store *store;
    struct kp_watch watch;
    struct kp_exit_watch *exits; /* NULL: nobody looks */
    uint64_t detail_us; /* spent on detailed readings, which have a clock of their own */
    struct kp_stack_tree tree;
    struct kp_import_contexts contexts; /* of its stacks */

    struct kp_recorded **processes; /* those that have anything in the spool, in order of number */
    size_t process_capacity;
    uint32_t process_count;
    uint32_t processes_seen; /* ever, in this spool */
    struct kp_chunk_ref *chunks; /* by index */
    uint8_t *buffer; /* for one chunk */
    struct kp_new_chunk *new_chunks;
    size_t new_chunk_capacity, new_chunk_count;
    uint32_t next_process; /* place in `processes` where the next round begins */

    int64_t next_site, next_sample, next_thread;
    struct kp_dirty_sites dirty_sites;
    struct kp_event_list events;
    struct kp_row_list gone, shrunk;  /* rows of samples */
    uint32_t *old_cursors;            /* seqs whose cursor rows may go */
    size_t old_cursor_capacity, old_cursor_count;
    struct kp_cursor *loaded_cursors; /* of the run before us, in order of seq */
    size_t loaded_cursor_capacity;
    uint32_t loaded_cursor_count;

    bool is_changed;        /* there is something to commit */
    bool has_more;          /* the last round stopped early */
    uint64_t batch_bytes;   /* read since the last commit */
    uint64_t batch_limit;   /* a round stops there */
    uint32_t chunks_in_use; /* when the last round began */
    uint64_t total_bytes;   /* read since the start */
    uint64_t samples, orphans;
    uint32_t unannounced;   /* chunks that were claimed and not yet announced in the last round */
    uint64_t lost_processes; /* as last written */
};

/* Takes up the work on this spool; reads back what the database has. */
int kp_ingest_open(struct kp_ingest *ingest, struct kp_spool *spool, struct kp_store *store,
                   struct kp_error *error);
void kp_ingest_close(struct kp_ingest *ingest);

#define KP_BATCH_BYTES (32u << 20)

/* Looks at the processes that still run. `with_memory`: also takes readings that are due. */
void kp_ingest_watch(struct kp_ingest *ingest, bool with_memory);

/* Reads what is there. Processes whose watched.dead is set are read to their end. Sets has_more. */
int kp_ingest_round(struct kp_ingest *ingest, struct kp_error *error);

/* One transaction, then the chunks that are done with are free. With FULL nothing has happened and
 * it can be called again. Returns enum kp_store_status. */
int kp_ingest_flush(struct kp_ingest *ingest, struct kp_error *error);

/* Every process that has joined has ended and is in the database. */
bool kp_ingest_is_drained(const struct kp_ingest *ingest);

/* Published bytes of records that have not been read. */
uint64_t kp_ingest_unread_bytes(const struct kp_ingest *ingest);

/* NULL: not known (any more). */
struct kp_recorded *kp_ingest_process(const struct kp_ingest *ingest, uint32_t number);

/* The parts, for ingest*.c only. */
int kp_ingest_load(struct kp_ingest *ingest, struct kp_error *error);
/* Looks for processes and definition chunks that are new since the last time. */
int kp_ingest_scan_definitions(struct kp_ingest *ingest, struct kp_error *error);
/* Takes the present length of every DATA chunk; then definitions must be scanned, then data. */
int kp_ingest_scan_data(struct kp_ingest *ingest, struct kp_error *error);
/* Puts the DATA chunks that the scan has found to their processes. */
int kp_ingest_adopt_data(struct kp_ingest *ingest, struct kp_error *error);
int kp_ingest_definitions(struct kp_ingest *ingest, struct kp_recorded *process,
                          struct kp_error *error);
/* Conversions: a chunk of counters was found; the present values of all of them; and records. */
void kp_ingest_add_counters(struct kp_recorded *process, uint32_t index);
int kp_ingest_counters(struct kp_ingest *ingest, struct kp_recorded *process,
                       struct kp_error *error);
void kp_ingest_entry(struct kp_recorded *process, const struct kp_rec_entry *record);
void kp_ingest_activation(struct kp_recorded *process, const struct kp_rec_activation *record);
void kp_ingest_conversions_write(struct kp_ingest *ingest, const struct kp_recorded *process);
int kp_ingest_conversions_load(struct kp_ingest *ingest, struct kp_error *error);
/* Puts the process's data in; stops at the size of a batch. */
int kp_ingest_data(struct kp_ingest *ingest, struct kp_recorded *process, struct kp_error *error);
/* Repeats what the first `offset` bytes of a chunk said about time, rate and thread. */
int kp_ingest_skip(struct kp_ingest *ingest, struct kp_recorded *process, uint32_t slot,
                   struct kp_data_chunk *chunk, uint32_t offset, struct kp_error *error);

/* Rows for all that has changed, in an open transaction. */
void kp_ingest_write(struct kp_ingest *ingest);
/* A sample was born: time and memory of the process's phases. */
void kp_ingest_phases_sample(struct kp_ingest *ingest, struct kp_recorded *process,
                             const struct kp_live_sample *sample);
/* The first iteration begins, the end of which will be marked. */
void kp_ingest_phases_begin(struct kp_ingest *ingest, struct kp_recorded *process,
                            const struct kp_mark_row *mark);
void kp_ingest_phases_mark(struct kp_ingest *ingest, struct kp_recorded *process,
                           const struct kp_mark_row *mark, bool is_begin);
/* The process has ended, and when is known. */
void kp_ingest_phases_end(struct kp_ingest *ingest, struct kp_recorded *process);
void kp_ingest_phases_write(struct kp_ingest *ingest, const struct kp_recorded *process);

/* No slot can go on: is it for a snapshot? Then its turn has come, or it is given up; true when
 * somebody can go on now. */
bool kp_ingest_snapshot_is_next(struct kp_recorded *process);
void kp_ingest_snapshots_write(struct kp_store *store, const struct kp_recorded *process);

/* For tests: called at the points of a flush and of a finish with their names. */
extern void (*kp_ingest_fault_hook)(const char *point);
void kp_ingest_fault(const char *point);

#endif
