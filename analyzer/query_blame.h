/* SPDX-License-Identifier: MIT */
/*
 * The two parts of a picture of the heap that need stacks. Private to query_fragmentation.c.
 */
#ifndef KP_QUERY_BLAME_H
#define KP_QUERY_BLAME_H

#include "query_fragmentation.h"

/* Fills blame. */
int kp_query_heap_blame(struct kp_query *query, struct kp_heap_picture *picture,
                        struct kp_error *error);
/* Fills opaque, and of where `opaque` and `mapped`: sampled mappings by the module that made them. */
int kp_query_heap_opaque(struct kp_query *query, struct kp_heap_picture *picture,
                         struct kp_error *error);

#endif
