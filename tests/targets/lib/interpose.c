/* SPDX-License-Identifier: MIT */
/*
 * Another preload that stands before or behind ours and finds the next allocator as most do: by
 * dlsym(RTLD_NEXT) in the first call, while dlsym itself may call calloc. Counts its calls.
 */
#include "target.h"

#include <dlfcn.h>
#include <stdatomic.h>

static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static char early[65536];
static size_t early_used;
_Atomic long interpose_calls;

static void find(void)
{
    next_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
}

void *malloc(size_t size)
{
    interpose_calls++;
    if (!next_malloc)
        find();
    return next_malloc(size);
}
void free(void *p)
{
    if (!next_free)
        find();
    if ((char *)p < early || (char *)p >= early + sizeof early)
        next_free(p);
}
void *realloc(void *p, size_t size)
{
    if (!next_realloc)
        find();
    return next_realloc(p, size);
}
void *calloc(size_t n, size_t size)
{
    static __thread int inside;
    interpose_calls++;
    if (!next_calloc && inside) { /* called by dlsym itself */
        void *p = early + early_used;
        early_used += (n * size + 15) & ~(size_t)15;
        return early_used <= sizeof early ? p : NULL;
    }
    inside = 1;
    if (!next_calloc)
        find();
    inside = 0;
    return next_calloc(n, size);
}
