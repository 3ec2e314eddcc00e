/* SPDX-License-Identifier: MIT */
/*
 * With KPROF_KEEP=all every allocation and every free of a recording is kept, in order per thread,
 * so that they can be done again (kprof-ab replay). Lists those since the last commit. One thread.
 */
#ifndef KP_EVENT_LIST_H
#define KP_EVENT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_event {
    uint32_t process;
    int64_t thread, site; /* rows; site 0: it is a free */
    uint64_t time_us, sample, size;
};

struct kp_event_list {
    bool is_wanted;
    struct kp_event *events;
    size_t capacity, count;
};

void kp_event_list_add(struct kp_event_list *list, const struct kp_event *event);
/* They are committed. */
void kp_event_list_settle(struct kp_event_list *list);
void kp_event_list_release(struct kp_event_list *list);

#endif
