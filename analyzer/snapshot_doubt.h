/* SPDX-License-Identifier: MIT */
/*
 * The error of what was drawn of an arena and stands for all of it.
 */
#ifndef KP_SNAPSHOT_DOUBT_H
#define KP_SNAPSHOT_DOUBT_H

#include "snapshot_table.h"

/* Bytes that what is resident and not given out may be off by, in 95 of 100; 0 where all was looked at.
 * Spans are in order. */
double kp_snapshot_doubt(const struct kp_snapshot *snapshot, uint32_t arena);

#endif
