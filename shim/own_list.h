/* SPDX-License-Identifier: MIT */
/*
 * A list that grows in memory of our own. Whoever has one keeps it in a union with its own type:
 * `union { struct kp_own_list list; struct { struct x *all; size_t count, capacity; }; }`.
 */
#ifndef KP_OWN_LIST_H
#define KP_OWN_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct kp_own_list {
    void *all;
    size_t count, capacity;
};

/* Makes room for one more; false: there is no memory. */
bool kp_own_list_has_room(struct kp_own_list *list, size_t item_bytes);

#endif
