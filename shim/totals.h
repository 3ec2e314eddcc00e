/* SPDX-License-Identifier: MIT */
/*
 * What the allocators say of themselves at a mark: RSS, malloc's own figures, Python's own. They
 * cost more than a mark (mallinfo2 walks the free lists), so not every mark has them.
 */
#ifndef KP_TOTALS_H
#define KP_TOTALS_H

#include "record.h"
#include "state.h"

#include <stdbool.h>

/* With the guard set, at the mark of this number and time: shall it have totals? When true,
 * kp_totals_take() has to follow, on this thread. */
bool kp_totals_are_due(struct kp_slot *slot, uint64_t number, uint64_t now_us);

/* Without the guard: fills all but the number of the mark. */
void kp_totals_take(struct kp_rec_totals *totals);

#endif
