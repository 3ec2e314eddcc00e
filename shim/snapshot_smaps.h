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

/* Sampled mappings, and what of them is resident. Without the guard. */
void kp_snapshot_ranges(struct kp_heap *heap);

/* The text of smaps, in memory of our own. NULL: no memory to be had. */
struct kp_snapshot_text;
struct kp_snapshot_text *kp_snapshot_text_new(void);
void kp_snapshot_text_free(struct kp_snapshot_text *text);
void kp_snapshot_smaps(const struct kp_heap *heap, struct kp_snapshot_text *text);

struct kp_smaps_mapping {
    struct kp_rec_mapping record; /* but for type, size and number */
    const char *path;             /* path_bytes of it */
};
/* The next of them from *at on (0 at first); neighbours of one file are one. False: no more. */
bool kp_snapshot_smaps_next(const struct kp_snapshot_text *text, size_t *at,
                            struct kp_smaps_mapping *mapping);

#endif
