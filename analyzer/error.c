/* SPDX-License-Identifier: MIT */
/*
 * The text of a failure, see error.h. Control characters are replaced, because the text may quote
 * a path from a file that somebody else wrote. Any thread.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int kp_error_set(struct kp_error *error, const char *format, ...)
{
    if (!error || error->text[0])
        return 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *c = error->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return 1;
}
