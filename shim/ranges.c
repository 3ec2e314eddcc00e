/* SPDX-License-Identifier: MIT */
/*
 * A sorted array of ranges, in memory of our own. Host's threads, under ranges_lock; mappings are
 * rare beside allocations, and those that are sampled rarer still.
 *
 * A sample may own several ranges after holes were cut into it; the sum of them is what is left.
 */
#include "ranges.h"

#include "own_list.h"
#include "sample.h"
#include "state.h"

#include <string.h>

static struct {
    uint64_t epoch; /* of the process; a forked child begins with none */
    union {
        struct kp_own_list list;
        struct {
            struct kp_range *all;
            size_t count, capacity;
        };
    };
} ranges;

bool kp_ranges_lock(uint64_t *cookie)
{
    if (!kp_state.epoch || !kp_guard_enter(cookie))
        return false;
    if (!kp_spin_lock(&kp_state.ranges_lock)) {
        kp_guard_leave();
        return false;
    }
    if (ranges.epoch != kp_state.epoch) {
        ranges.epoch = kp_state.epoch;
        ranges.count = 0;
    }
    return true;
}

void kp_ranges_unlock(void)
{
    kp_spin_unlock(&kp_state.ranges_lock);
    kp_guard_leave();
}

const struct kp_range *kp_ranges_at(size_t i)
{
    return i < ranges.count ? &ranges.all[i] : NULL;
}

/* Index of the first range that ends behind the address. */
static size_t first_behind(uintptr_t address)
{
    size_t low = 0, high = ranges.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ranges.all[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert_at(size_t at, struct kp_range range)
{
    if (!kp_own_list_has_room(&ranges.list, sizeof range))
        return;
    memmove(&ranges.all[at + 1], &ranges.all[at], (ranges.count - at) * sizeof range);
    ranges.all[at] = range;
    ranges.count++;
}

static void remove_at(size_t at)
{
    ranges.count--;
    memmove(&ranges.all[at], &ranges.all[at + 1], (ranges.count - at) * sizeof *ranges.all);
}

static uint64_t rest_of(uint64_t id)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < ranges.count; i++)
        if (ranges.all[i].id == id)
            bytes += ranges.all[i].end - ranges.all[i].start;
    return bytes;
}

bool kp_ranges_cut(uintptr_t start, size_t bytes)
{
    uintptr_t end = start + bytes;
    size_t at = first_behind(start);
    bool found = false;

    while (at < ranges.count && ranges.all[at].start < end) {
        struct kp_range *range = &ranges.all[at], old = *range;

        found = true;
        bool head = old.start < start, tail = old.end > end;
        size_t next = at + 1;

        if (head && tail) {
            range->end = start;
            insert_at(at + 1, (struct kp_range){end, old.end, old.id, old.is_arena});
            next = at + 2;
        } else if (head) {
            range->end = start;
        } else if (tail) {
            range->start = end;
        } else {
            remove_at(at);
            next = at;
        }
        uint64_t rest = rest_of(old.id);
        if (rest)
            kp_sample_resized_in_guard(old.id, rest);
        else
            kp_sample_freed_in_guard(old.id);
        at = next;
    }
    return found;
}

void kp_ranges_add(const struct kp_range *range)
{
    /* One whose end was not seen: a raw system call, a signal handler. */
    kp_ranges_cut(range->start, range->end - range->start);
    insert_at(first_behind(range->start), *range);
}
