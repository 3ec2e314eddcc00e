/* SPDX-License-Identifier: MIT */
/*
 * Where functions start and end in a stripped file: its unwind tables say so.
 */
#ifndef KP_SYMBOLS_FUNCTIONS_H
#define KP_SYMBOLS_FUNCTIONS_H

#include "symbols_image.h"
#include "symbols_ranges.h"

/* Fills `functions` from .eh_frame_hdr and .eh_frame (value: unused) and sorts it. -1: no memory.
 * A file without them has no functions. */
int kp_functions_init(struct kp_ranges *functions, const struct kp_image *image);

#endif
