/* SPDX-License-Identifier: MIT */
/*
 * Python's part of the start: in the constructor, or when libpython has been loaded later.
 */
#ifndef KP_PYTHON_START_H
#define KP_PYTHON_START_H

/* Finds the interpreter, tells the reader of it, and stands in front of its allocators. With the
 * guard set and no lock held. */
void kp_python_start(void);

/* In a sample, with the guard set: whatever is still to be done. */
void kp_python_check(void);

#endif
