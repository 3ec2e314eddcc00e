/* SPDX-License-Identifier: MIT */
/*
 * A timed activation as a record, and how many activations pass until the next one is timed.
 */
#ifndef KP_SPAN_WRITE_H
#define KP_SPAN_WRITE_H

#include "span.h"

/* Ends at this tick. With the guard set. */
void kp_span_write(const struct kp_span *span, uint64_t ended);

/* Draws the next activation that is timed, at a weight that keeps the price of timing below one
 * percent of the block's time. */
void kp_span_draw(struct kp_counter_block *block);

/* Does a call of this row make a string of the bytes that its first argument points to? */
bool kp_span_makes_text(unsigned row);

#endif
