/* SPDX-License-Identifier: MIT */
/*
 * One writer slot of a process while its records are taken in: what ingest_data.c, which decides
 * whose turn it is, and ingest_record.c, which knows what a record does, say to each other.
 */
#ifndef KP_INGEST_SLOT_H
#define KP_INGEST_SLOT_H

#include "ingest.h"

struct kp_slot_run {
    struct kp_ingest *ingest;
    struct kp_recorded *process;
    struct kp_slot_queue *queue;
    uint32_t slot;
    struct kp_data_chunk *chunk;
    struct kp_slice_sums slice; /* of the timeline, since the chunk's last STAMP */
};

/* Takes a record in. Where the sample that it speaks of is still to come, nothing happens but that
 * queue->waits_for says so. */
void kp_slot_run_take(struct kp_slot_run *run, int type, union kp_record record);
/* The same for those that only tell time, rate or thread of what follows. */
void kp_slot_run_take_state(struct kp_slot_run *run, int type, union kp_record record);
/* A record of a snapshot of the heap, which may make the slot wait. */
void kp_ingest_snapshot(struct kp_slot_run *run, int type, union kp_record record);
/* To be called at the end of a chunk. */
void kp_slot_run_flush_slice(struct kp_slot_run *run);

/* Where a sample with this id comes from; NULL: the slot has not been seen. */
static inline struct kp_slot_queue *kp_slot_of(const struct kp_recorded *process, uint64_t id)
{
    uint64_t slot = id >> KP_SAMPLE_SLOT_SHIFT;

    return slot < process->slot_count ? process->slots[slot] : NULL;
}

static inline uint64_t kp_slot_counter(uint64_t id)
{
    return id & ((1ULL << KP_SAMPLE_SLOT_SHIFT) - 1);
}

static inline bool kp_slot_is_to_come(const struct kp_recorded *process, uint64_t id)
{
    const struct kp_slot_queue *queue = kp_slot_of(process, id);

    return !queue || kp_slot_counter(id) >= queue->next_sample;
}

#endif
