/* SPDX-License-Identifier: MIT */
/*
 * Interned texts: function names repeat in thousands of frames, and comparing addresses is what
 * makes grouping 200,000 sites a matter of milliseconds. Texts sit in blocks that never move. One
 * thread.
 */
#include "query_names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 65536

static uint64_t hash_of(const char *text)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
    return h ^ h >> 29;
}

static const char **find_slot(const char **slots, size_t capacity, const char *text)
{
    size_t at = hash_of(text) & (capacity - 1);
    while (slots[at] && strcmp(slots[at], text) != 0)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static int make_room(struct kp_names *names)
{
    if (names->count * 2 < names->capacity)
        return 0;
    size_t capacity = names->capacity ? names->capacity * 2 : 1024;
    const char **slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return -1;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->slots[i])
            *find_slot(slots, capacity, names->slots[i]) = names->slots[i];
    free(names->slots);
    names->slots = slots;
    names->capacity = capacity;
    return 0;
}

static char *store(struct kp_names *names, const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (names->block_used + bytes > names->block_bytes) {
        size_t block_bytes =
            sizeof(char *) + bytes > BLOCK_BYTES ? sizeof(char *) + bytes : BLOCK_BYTES;
        char *block = malloc(block_bytes);
        if (!block)
            return NULL;
        memcpy(block, &names->block, sizeof names->block);
        names->block = block;
        names->block_used = sizeof names->block;
        names->block_bytes = block_bytes;
    }
    char *copy = names->block + names->block_used;
    memcpy(copy, text, bytes);
    names->block_used += bytes;
    return copy;
}

const char *kp_names_add(struct kp_names *names, const char *text)
{
    if (make_room(names) != 0)
        return "";
    const char **slot = find_slot(names->slots, names->capacity, text);
    if (!*slot) {
        *slot = store(names, text);
        if (!*slot)
            return "";
        names->count++;
    }
    return *slot;
}

void kp_names_release(struct kp_names *names)
{
    while (names->block) {
        char *before;
        memcpy(&before, names->block, sizeof before);
        free(names->block);
        names->block = before;
    }
    free(names->slots);
    *names = (struct kp_names){0};
}
