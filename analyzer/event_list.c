/* SPDX-License-Identifier: MIT */
/*
 * See event_list.h. A list that nobody wants stays empty. One thread.
 */
#include "event_list.h"

#include "alloc.h"

#include <stdlib.h>

void kp_event_list_add(struct kp_event_list *list, const struct kp_event *event)
{
    if (!list->is_wanted)
        return;
    list->events =
        kp_array_grow(list->events, &list->capacity, list->count + 1, sizeof *list->events);
    list->events[list->count++] = *event;
}

void kp_event_list_settle(struct kp_event_list *list)
{
    list->count = 0;
}

void kp_event_list_release(struct kp_event_list *list)
{
    free(list->events);
    *list = (struct kp_event_list){.is_wanted = false};
}
