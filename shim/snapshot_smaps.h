/* SPDX-License-Identifier: MIT */
/*
 * What is resident outside the heap, read from /proc/self: RSS at each snapshot, and at the end of
 * a process its mappings one by one.
 */
#ifndef KP_SNAPSHOT_SMAPS_H
#define KP_SNAPSHOT_SMAPS_H

#include "snapshot_heap.h"

struct kp_snapshot_rss {
    uint64_t all, file; /* bytes; file: of it, pages of files and of shared memory */
};
void kp_snapshot_read_rss(struct kp_snapshot_rss *rss);

/* Sampled mappings but those of allocators, and what of them is resident. Without the guard. */
void kp_snapshot_ranges(struct kp_heap *heap);

/* The text of smaps, in memory of our own. NULL: no memory to be had. */
struct kp_snapshot_text;
struct kp_snapshot_text *kp_snapshot_text_new(void);
void kp_snapshot_text_free(struct kp_snapshot_text *text);
void kp_snapshot_smaps(const struct kp_heap *heap, struct kp_snapshot_text *text);

/* The next of them, but for type, size and number. False: no more. */
bool kp_snapshot_smaps_next(struct kp_snapshot_text *text, struct kp_rec_mapping *record,
                            const char **path);

#endif
