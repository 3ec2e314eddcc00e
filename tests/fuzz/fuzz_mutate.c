/* SPDX-License-Identifier: MIT */
/*
 * See fuzz_mutate.h. Out of memory ends the fuzzer: nothing here is worth going on for.
 */
#include "fuzz_mutate.h"

#include <stdlib.h>
#include <string.h>

uint64_t kp_fuzz_next(struct kp_fuzz_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t kp_fuzz_below(struct kp_fuzz_random *random, uint64_t end)
{
    return end ? kp_fuzz_next(random) % end : 0;
}

bool kp_fuzz_one_in(struct kp_fuzz_random *random, unsigned n)
{
    return kp_fuzz_below(random, n) == 0;
}

uint64_t kp_fuzz_value(struct kp_fuzz_random *random, uint64_t near, size_t width)
{
    uint64_t power = 1ULL << kp_fuzz_below(random, 8 * width);
    switch (kp_fuzz_below(random, 11)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return UINT64_MAX;
    case 3: return power;
    case 4: return power - 1;
    case 5: return -power;
    case 6: return near + 1;
    case 7: return near - 1;
    case 8: return near ^ power;
    case 9: return near + 8 * kp_fuzz_below(random, 16) - 64;
    default: return kp_fuzz_next(random);
    }
}

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void kp_fuzz_bytes_set(struct kp_fuzz_bytes *bytes, const void *from, size_t size)
{
    uint8_t *copy = must(malloc(size + 8));
    if (size)
        memcpy(copy, from, size);
    free(bytes->at);
    *bytes = (struct kp_fuzz_bytes){copy, size};
}

void kp_fuzz_bytes_resize(struct kp_fuzz_bytes *bytes, size_t size)
{
    bytes->at = must(realloc(bytes->at, size + 8));
    if (size > bytes->size)
        memset(bytes->at + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

void kp_fuzz_bytes_free(struct kp_fuzz_bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct kp_fuzz_bytes){NULL, 0};
}

void kp_fuzz_damage_value(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t place,
                          size_t width)
{
    uint64_t value = 0;
    width = width < sizeof value ? width : sizeof value;
    if (place + width > bytes->size)
        return;
    memcpy(&value, bytes->at + place, width);
    value = kp_fuzz_value(random, value, width);
    memcpy(bytes->at + place, &value, width);
}

void kp_fuzz_damage_field(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t from,
                          size_t to)
{
    size_t width = (size_t)1 << kp_fuzz_below(random, 4);
    if (to > bytes->size)
        to = bytes->size;
    if (from + width > to)
        return;
    size_t place = (from + kp_fuzz_below(random, to - from - width + 1)) & ~(width - 1);
    if (place < from)
        place = from;
    kp_fuzz_damage_value(random, bytes, place, width);
}

void kp_fuzz_flip_bits(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t from,
                       size_t to)
{
    size_t count = 1 + kp_fuzz_below(random, 8);
    if (to > bytes->size)
        to = bytes->size;
    while (from < to && count--)
        bytes->at[from + kp_fuzz_below(random, to - from)] ^=
            (uint8_t)(1u << kp_fuzz_below(random, 8));
}

static void swap_blocks(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void kp_fuzz_damage_blocks(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t first,
                           size_t block)
{
    size_t count = bytes->size > first ? (bytes->size - first) / block : 0;
    if (count == 0)
        return;
    uint8_t *a = bytes->at + first + kp_fuzz_below(random, count) * block;
    uint8_t *b = bytes->at + first + kp_fuzz_below(random, count) * block;
    switch (kp_fuzz_below(random, 4)) {
    case 0: memmove(a, b, block); break;
    case 1: swap_blocks(a, b, block); break;
    case 2: memset(a, 0, block); break;
    default: kp_fuzz_bytes_resize(bytes, (size_t)(a - bytes->at)); break;
    }
}

void kp_fuzz_cut(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes)
{
    size_t change = kp_fuzz_below(random, kp_fuzz_one_in(random, 2) ? 64 : bytes->size + 1);
    if (kp_fuzz_one_in(random, 4))
        kp_fuzz_bytes_resize(bytes, bytes->size + change % 65536);
    else
        kp_fuzz_bytes_resize(bytes, bytes->size - (change < bytes->size ? change : bytes->size));
}
