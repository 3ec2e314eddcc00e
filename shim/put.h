/* SPDX-License-Identifier: MIT */
/*
 * Texts made without printf: each piece is put behind the last, as far as there is room.
 */
#ifndef KP_PUT_H
#define KP_PUT_H

/* Returns the end of the text; *end is the last place that may be written. */
static inline char *kp_put(char *to, const char *end, const char *from)
{
    while (*from && to < end)
        *to++ = *from++;
    *to = 0;
    return to;
}

#endif
