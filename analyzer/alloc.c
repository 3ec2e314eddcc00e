/* SPDX-License-Identifier: MIT */
/*
 * Allocation that does not fail, see alloc.h. Any thread.
 */
#include "alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must(void *memory)
{
    static const char message[] = "kprof: out of memory\n";

    if (memory)
        return memory;
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0)
        _exit(1);
    _exit(1);
}

void *kp_alloc(size_t bytes)
{
    return must(calloc(1, bytes ? bytes : 1));
}

void *kp_array_grow(void *array, size_t *capacity, size_t needed, size_t element_bytes)
{
    if (needed <= *capacity)
        return array;
    size_t wanted = *capacity < 8 ? 8 : *capacity * 2;
    if (wanted < needed)
        wanted = needed;
    *capacity = wanted;
    return must(reallocarray(array, wanted, element_bytes));
}

char *kp_copy_text(const void *text, size_t bytes)
{
    char *copy = kp_alloc(bytes + 1);

    memcpy(copy, text, bytes);
    return copy;
}
