/* SPDX-License-Identifier: MIT */
/*
 * Names come from other people's binaries and may hold any bytes. These walk a text character by
 * character and say which bytes are valid UTF-8. Pure functions, any thread.
 */
#ifndef KP_UTF8_H
#define KP_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define KP_UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Bytes of the valid character at text; 0 when the byte there begins none. */
size_t kp_utf8_length(const char *text);

/* Does a character begin there that a terminal would obey? */
bool kp_utf8_is_control(const char *text);

/* A copy that a terminal shows on one line: bytes that are no UTF-8 and control characters become
 * U+FFFD, at most `columns` characters (0: all), the last three dots when cut. For free(). */
char *kp_utf8_printable(const char *text, size_t columns);

/* Characters of a printable text. */
size_t kp_utf8_columns(const char *text);

#endif
