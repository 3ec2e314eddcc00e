/* SPDX-License-Identifier: MIT */
/*
 * Writing into the spool (record/record.h says what it looks like). No lock on the way of a data
 * record: a slot has its own chunk. Definitions of a process share one chunk, under
 * kp_state.definitions_lock.
 */
#ifndef KP_SPOOL_H
#define KP_SPOOL_H

#include "state.h"

/* Makes ready for one data record: a chunk with room, and up to date as to thread, time, iteration
 * and rate. False: no room. */
bool kp_spool_prepare(struct kp_slot *slot, uint64_t rate_bytes);

/* After kp_spool_prepare(): the records that follow have this very moment, not that of the coarse
 * clock. */
void kp_spool_stamp(struct kp_slot *slot);

/* Makes ready for one data record of this size, if need be in another chunk. */
bool kp_spool_make_room(struct kp_slot *slot, uint32_t bytes);

/* Room for one record of this size behind what is published, NULL when the chunk has none; the
 * record counts when it is published. Only after kp_spool_prepare(). */
static inline void *kp_spool_reserve(const struct kp_slot *slot, uint32_t bytes)
{
    struct kp_chunk_header *chunk = slot->chunk;
    uint32_t used = chunk ? atomic_load_explicit(&chunk->used, memory_order_relaxed) : 0;

    if (!chunk || sizeof *chunk + used + bytes > KP_CHUNK_BYTES)
        return NULL;
    return (char *)(chunk + 1) + used;
}

static inline void kp_spool_publish(struct kp_slot *slot, uint32_t bytes)
{
    uint32_t used = atomic_load_explicit(&slot->chunk->used, memory_order_relaxed);

    atomic_store_explicit(&slot->chunk->used, used + bytes, memory_order_release);
}

/* What was published is a sample. */
static inline void kp_spool_count_sample(struct kp_slot *slot)
{
    uint64_t samples = atomic_load_explicit(&slot->chunk->samples, memory_order_relaxed);

    atomic_store_explicit(&slot->chunk->samples, samples + 1, memory_order_relaxed);
}

/* A chunk of counters for this slot, with all its pages; NULL: no room. */
struct kp_chunk_header *kp_spool_claim_counters(const struct kp_slot *slot);

/* The free of this sample could not be written: remember it until there is room. */
void kp_spool_owe(uint64_t id);

/* Under definitions_lock: room for one definition, published by the second call. */
void *kp_spool_define(uint32_t bytes);
void kp_spool_defined(uint32_t bytes);

/* A text for the report; takes definitions_lock itself. */
void kp_spool_text(unsigned what, const char *text, uint32_t bytes);

/* Claims the process's first chunk and makes kp_state.info, for the caller to fill; the second call
 * shows it to readers. False: no room. */
bool kp_spool_join(uint32_t process);
void kp_spool_joined(void);

#endif
