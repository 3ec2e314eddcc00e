/* SPDX-License-Identifier: MIT */
/*
 * A Python string read as memory, as UTF-8.
 */
#ifndef KP_PYTHON_TEXT_H
#define KP_PYTHON_TEXT_H

#include <stdint.h>

/* Writes at most `room` bytes and no NUL; what does not fit is cut between characters. Returns the
 * number of bytes; "?" when the object is no plain string. */
uint32_t kp_python_text(uintptr_t text, char *out, uint32_t room);

#endif
