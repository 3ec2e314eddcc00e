/* SPDX-License-Identifier: MIT */
/*
 * See argument_list.h. Control characters, quotes and backslashes are escaped by their number.
 */
#include "argument_list.h"

#include "alloc.h"

#include <string.h>

struct json {
    char *text;
    size_t capacity, length;
};

static void json_put(struct json *json, const char *bytes, size_t count)
{
    json->text = kp_array_grow(json->text, &json->capacity, json->length + count + 1, 1);
    memcpy(json->text + json->length, bytes, count);
    json->length += count;
    json->text[json->length] = 0;
}

/* Bytes of the well-formed UTF-8 sequence at `at`, 0: it is none. */
static size_t utf8_bytes(const unsigned char *at, size_t left)
{
    static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc2 ? 2 : 0;
    unsigned point = at[0] & (0xff >> (count + 1));

    if (count <= 1)
        return count;
    if (count > left || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    return point >= smallest[count] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)
               ? count
               : 0;
}

static void json_put_string(struct json *json, const char *text, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";

    json_put(json, "\"", 1);
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t count = utf8_bytes((const unsigned char *)text + i, bytes - i);
        char escaped[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

        if (count == 0)
            json_put(json, "\xef\xbf\xbd", 3);
        else if (c < 0x20 || c == '"' || c == '\\')
            json_put(json, escaped, sizeof escaped);
        else
            json_put(json, text + i, count);
        i += count ? count : 1;
    }
    json_put(json, "\"", 1);
}

char *kp_argument_list_json(const char *text, size_t bytes)
{
    struct json json = {0};

    json_put(&json, "[", 1);
    for (size_t from = 0; from < bytes;) {
        size_t length = strnlen(text + from, bytes - from);

        if (from)
            json_put(&json, ",", 1);
        json_put_string(&json, text + from, length);
        from += length + 1;
    }
    json_put(&json, "]", 1);
    return json.text;
}
