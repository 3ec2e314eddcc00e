/* SPDX-License-Identifier: MIT */
/*
 * The figures of Python's own allocator.
 */
#ifndef KP_TOTALS_PYTHON_H
#define KP_TOTALS_PYTHON_H

#include "record.h"

/* Fills its figures; what is in blocks only where the caller holds the GIL. Without the guard. */
void kp_totals_of_python(struct kp_rec_totals *record);

#endif
