/* SPDX-License-Identifier: MIT */
/*
 * Puts a snapshot into the spool.
 */
#ifndef KP_SNAPSHOT_WRITE_H
#define KP_SNAPSHOT_WRITE_H

#include "snapshot_heap.h"
#include "snapshot_smaps.h"
#include "state.h"

/* With the guard set; smaps may be NULL. What finds no room is left out: without SNAPSHOT_END the
 * reader drops the whole. */
void kp_snapshot_write(struct kp_slot *slot, const struct kp_rec_snapshot *snapshot,
                       struct kp_heap *heap, struct kp_snapshot_text *smaps);

#endif
