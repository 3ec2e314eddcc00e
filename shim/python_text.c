/* SPDX-License-Identifier: MIT */
/*
 * Decodes the three widths of Python's strings. With the guard set; reads only memory that the
 * calling thread's own code object keeps alive. Lone surrogates (undecodable bytes of a file name)
 * become U+FFFD.
 */
#include "python_text.h"

#include "python.h"
#include "python_layout.h"

#include <stdbool.h>
#include <stddef.h>

struct text {
    const uint8_t *data;
    uint64_t length;
    unsigned width; /* bytes a character */
};

static bool open_text(uintptr_t object, struct text *text)
{
    if (!object || object % 8 ||
        *(const uintptr_t *)(object + kp_py_layout.type) != kp_python.text_type)
        return false;
    uint32_t state = *(const uint32_t *)(object + KP_PY_TEXT_STATE) >> kp_py_layout.text_shift;
    bool compact = state >> 3 & 1, ascii = state >> 4 & 1;

    text->width = state & 7;
    text->length = *(const uint64_t *)(object + KP_PY_TEXT_LENGTH);
    text->data =
        (const uint8_t *)object + (ascii ? kp_py_layout.text_ascii : kp_py_layout.text_compact);
    return compact && (text->width == 1 || text->width == 2 || text->width == 4);
}

static uint32_t character(const struct text *text, uint64_t at)
{
    uint32_t c = text->width == 1   ? text->data[at]
                 : text->width == 2 ? ((const uint16_t *)(const void *)text->data)[at]
                                    : ((const uint32_t *)(const void *)text->data)[at];

    return c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c;
}

static uint32_t encode(uint32_t c, uint8_t out[4])
{
    uint32_t bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (uint32_t i = bytes; i-- > 1; c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(lead[bytes] | c);
    return bytes;
}

uint32_t kp_python_text(uintptr_t object, char *out, uint32_t room)
{
    struct text text;
    uint32_t used = 0;

    if (!open_text(object, &text)) {
        out[0] = '?';
        return 1;
    }
    for (uint64_t i = 0; i < text.length; i++) {
        uint8_t bytes[4];
        uint32_t count = encode(character(&text, i), bytes);

        if (used + count > room)
            break;
        for (uint32_t b = 0; b < count; b++)
            out[used++] = (char)bytes[b];
    }
    return used;
}
