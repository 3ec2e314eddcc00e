/* SPDX-License-Identifier: MIT */
/*
 * A record is a pointer to the path, its length, line and column: 24 bytes in .data.rel.ro. It is
 * told from other data by its path, which ends in .rs, and by sensible numbers. Since Rust 1.90 the
 * path has a NUL behind it that the length may count. Runs in the collector and the reports, on one
 * thread.
 */
#include "symbols_places.h"

#include <stdlib.h>
#include <string.h>

#define KP_PATH_MIN 4
#define KP_PATH_MAX 1024
#define KP_LINE_MAX 1000000
#define KP_COLUMN_MAX 100000

static bool is_source_path(const char *path, uint64_t length)
{
    if (length < KP_PATH_MIN || memcmp(path + length - 3, ".rs", 3) != 0)
        return false;
    for (uint64_t i = 0; i < length; i++)
        if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
            return false;
    return true;
}

static bool read_place(const struct kp_image *image, const struct kp_pointer *pointer,
                       struct kp_place *place)
{
    uint64_t length;
    const void *numbers = kp_image_at(image, pointer->slot + 16, 8);
    if (!kp_image_word(image, pointer->slot + 8, &length) || !numbers || length < KP_PATH_MIN ||
        length > KP_PATH_MAX)
        return false;
    uint32_t line_column[2];
    memcpy(line_column, numbers, sizeof line_column);
    if (line_column[0] == 0 || line_column[0] > KP_LINE_MAX || line_column[1] == 0 ||
        line_column[1] > KP_COLUMN_MAX)
        return false;
    const char *path = kp_image_at(image, pointer->target, length);
    if (path && path[length - 1] == '\0')
        length--;
    if (!path || !is_source_path(path, length))
        return false;
    *place = (struct kp_place){.address = pointer->slot,
                               .file = path,
                               .length = (uint32_t)length,
                               .line = line_column[0]};
    return true;
}

int kp_places_init(struct kp_places *places, const struct kp_image *image,
                   const struct kp_pointers *pointers)
{
    size_t room = 0;
    *places = (struct kp_places){0};
    for (size_t i = 0; i < pointers->count; i++) {
        struct kp_place place;
        if (pointers->all[i].name || !read_place(image, &pointers->all[i], &place))
            continue;
        if (places->count == room) {
            room = room ? room * 2 : 256;
            struct kp_place *all = realloc(places->all, room * sizeof *all);
            if (!all)
                return -1;
            places->all = all;
        }
        places->all[places->count++] = place;
    }
    return 0;
}

void kp_places_release(struct kp_places *places)
{
    free(places->all);
    *places = (struct kp_places){0};
}

struct kp_place *kp_places_find(const struct kp_places *places, uint64_t address)
{
    size_t low = 0, high = places->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places->all[middle].address == address)
            return &places->all[middle];
        if (places->all[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool kp_place_same_file(const struct kp_place *a, const struct kp_place *b)
{
    return a->length == b->length && memcmp(a->file, b->file, a->length) == 0;
}
