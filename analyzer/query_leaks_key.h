/* SPDX-License-Identifier: MIT */
/*
 * What tells one place of the leak report from another, and one row of --group from another: parts
 * of a stack that a reader knows it by. Private to query_leaks_*.c. One thread.
 */
#ifndef KP_QUERY_LEAKS_KEY_H
#define KP_QUERY_LEAKS_KEY_H

#include "query_leaks.h"

#include <stdint.h>

#define KP_PLACE_KEY_PARTS 7

struct kp_place_key { /* equal ones are the same; no padding */
    uintptr_t part[KP_PLACE_KEY_PARTS];
};

/* The frame that a row is named by goes into *frame: NULL by place and by side. */
struct kp_place_key kp_place_key_of(struct kp_query *query, enum kp_leak_group group,
                                    int64_t stack_id, enum kp_leak_side side,
                                    const struct kp_frame **frame);
/* Of the native code next to the allocator; "" none. */
const char *kp_place_module(struct kp_query *query, int64_t stack_id);

#endif
