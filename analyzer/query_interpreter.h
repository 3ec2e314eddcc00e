/* SPDX-License-Identifier: MIT */
/*
 * What of a stack belongs to the Python interpreter rather than to the program. Private to
 * query_*.c.
 */
#ifndef KP_QUERY_INTERPRETER_H
#define KP_QUERY_INTERPRETER_H

#include "query.h"

#include <stdbool.h>
#include <stddef.h>

/* Is this the shared library of an interpreter, by its name? */
bool kp_is_python_library(const char *path);
/* Is this a native function that runs Python code? Its module is an interpreter. */
bool kp_is_python_loop(const char *function);
/* Does this frame of the interpreter say what it was about, where no Python line does? */
bool kp_is_python_entry(const struct kp_frame *frame);
/* Is this Python file a part of the standard library (site-packages is none)? */
bool kp_is_standard_library(const char *file);

/* Is it a part of the import system, which runs between an import and the module's own code? */
bool kp_is_import_system(const char *file);

/* Sets frame.interpreter in a whole stack. */
void kp_frames_mark_interpreter(struct kp_frame *frames, size_t count);

#endif
