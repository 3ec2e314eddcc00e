/* SPDX-License-Identifier: MIT */
/*
 * Growing a list, see own_list.h. Host's threads, under the lock of whoever owns the list.
 */
#include "own_list.h"

#include "sys.h"

#include <string.h>

#define FIRST_CAPACITY 512u

bool kp_own_list_has_room(struct kp_own_list *list, size_t item_bytes)
{
    size_t capacity = list->capacity ? list->capacity * 2 : FIRST_CAPACITY;
    size_t old_bytes = list->capacity * item_bytes;
    void *all, *old = list->all;

    if (list->count < list->capacity)
        return true;
    all = kp_sys_map(capacity * item_bytes);
    if (!all)
        return false;
    if (list->count)
        memcpy(all, old, list->count * item_bytes);
    /* In this order: a child forked by another thread must not find what is unmapped. */
    list->all = all;
    list->capacity = capacity;
    if (old)
        kp_sys_unmap(old, old_bytes);
    return true;
}
