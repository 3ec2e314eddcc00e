/* SPDX-License-Identifier: MIT */
/*
 * Samples of a program with many stacks touch a node, a site, its sums and a place of the live set
 * that no cache has. So readers run ahead of the one that takes the records, and ask for what these
 * will need, each of them one pointer further: a third of the time. They change nothing. One thread.
 */
#ifndef KP_INGEST_AHEAD_H
#define KP_INGEST_AHEAD_H

#include "ingest_slot.h"

#define KP_AHEAD_STAGES 3

struct kp_ingest_ahead {
    struct kp_decode_records readers[KP_AHEAD_STAGES];
    uint64_t births; /* counter of the next one that the first reader meets */
};

/* Starts where `records` stand. */
void kp_ingest_ahead_begin(struct kp_ingest_ahead *ahead, const struct kp_slot_run *run,
                           const struct kp_decode_records *records);
/* One record further. */
void kp_ingest_ahead_step(struct kp_ingest_ahead *ahead, const struct kp_slot_run *run);

#endif
