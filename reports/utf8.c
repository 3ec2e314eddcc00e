/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Wide and
 * combining characters count as one column; they are rare in names of functions. Any thread.
 */
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

size_t kp_utf8_length(const char *text)
{
    const unsigned char *t = (const unsigned char *)text;
    size_t length = t[0] < 0x80   ? 1
                    : t[0] < 0xc2 ? 0
                    : t[0] < 0xe0 ? 2
                    : t[0] < 0xf0 ? 3
                    : t[0] < 0xf5 ? 4
                                  : 0;
    for (size_t i = 1; i < length; i++)
        if ((t[i] & 0xc0) != 0x80)
            return 0;
    if ((t[0] == 0xe0 && t[1] < 0xa0) || (t[0] == 0xed && t[1] >= 0xa0) ||
        (t[0] == 0xf0 && t[1] < 0x90) || (t[0] == 0xf4 && t[1] >= 0x90))
        return 0;
    return length;
}

bool kp_utf8_is_control(const char *text)
{
    unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];
    return first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0);
}

/* Appends the character at *text, or what stands for it, and moves on. */
static char *copy_character(char *to, const char **text)
{
    size_t length = kp_utf8_length(*text);
    if (length == 0 || kp_utf8_is_control(*text)) {
        memcpy(to, KP_UTF8_REPLACEMENT, 3);
        *text += length ? length : 1;
        return to + 3;
    }
    memcpy(to, *text, length);
    *text += length;
    return to + length;
}

char *kp_utf8_printable(const char *text, size_t columns)
{
    char *copy = malloc(strlen(text) * 3 + 4), *to = copy, *cut = copy;
    if (!copy)
        return NULL;
    for (size_t used = 0; *text; used++) {
        if (columns > 0 && used == columns) {
            strcpy(cut, columns > 3 ? "..." : "");
            return copy;
        }
        if (used + 3 <= columns)
            cut = to;
        to = copy_character(to, &text);
    }
    *to = '\0';
    return copy;
}

size_t kp_utf8_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}
