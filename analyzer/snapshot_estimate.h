/* SPDX-License-Identifier: MIT */
/*
 * What is in use of arenas whose free pieces were too many to look at.
 */
#ifndef KP_SNAPSHOT_ESTIMATE_H
#define KP_SNAPSHOT_ESTIMATE_H

#include "snapshot_table.h"

/* Of all arenas that were cut; spans are in order. */
void kp_snapshot_estimate(struct kp_snapshot *snapshot, const struct kp_live_set *live);

#endif
