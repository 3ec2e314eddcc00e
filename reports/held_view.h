/* SPDX-License-Identifier: MIT */
/*
 * What the summary says of snapshots of the heap: the line HELD, and modules with an allocator of
 * their own.
 */
#ifndef KP_HELD_VIEW_H
#define KP_HELD_VIEW_H

#include "query_fragmentation.h"
#include "report.h"

/* Of the last snapshots of all processes together. */
struct kp_held {
    double rss, held_malloc, held_python;
    struct kp_heap_opaque *opaque; /* heaviest first */
    size_t opaque_count;
};
int kp_held_load(struct kp_report_context *context, struct kp_held *held, struct kp_error *error);
void kp_held_release(struct kp_held *held);

/* Lines of text; nothing where it is no news. */
void kp_held_line(struct kp_report_context *context, const struct kp_held *held);
void kp_held_opaque_lines(struct kp_report_context *context, const struct kp_held *held);
/* "opaque" of JSON. */
void kp_held_opaque_table(struct kp_report_context *context, const struct kp_held *held);

#endif
