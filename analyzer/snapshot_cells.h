/* SPDX-License-Identifier: MIT */
/*
 * What live samples tell of a snapshot beside the blame: cells of allocators that do not say where
 * their free memory lies, and whose mappings are whose.
 */
#ifndef KP_SNAPSHOT_CELLS_H
#define KP_SNAPSHOT_CELLS_H

#include "snapshot_table.h"

/* Adds spans for the arena that stands for such an allocator; false: it has none, or samples are too
 * far apart to tell how full a cell is. */
bool kp_snapshot_cells_make(struct kp_snapshot *snapshot, const struct kp_live_set *live);

/* Finds whose its mappings are. */
void kp_snapshot_name_mappings(struct kp_snapshot *snapshot, const struct kp_live_set *live);

/* The row of what mimalloc could not be asked about, SIZE_MAX: it has none. Blocks in no span are
 * there. */
size_t kp_snapshot_rest(const struct kp_snapshot *snapshot);

/* Blocks that the program got from malloc, new, or Python's own allocator. */
bool kp_snapshot_is_block(unsigned kind);

/* Do samples lie so close that what they stand for in a cell is about what is given out there? */
bool kp_snapshot_is_dense(const struct kp_snapshot *snapshot, const struct kp_live_set *live);

#endif
