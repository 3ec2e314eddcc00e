/* SPDX-License-Identifier: MIT */
/* The least that an interposed malloc and free can do: jump to the next. What kprof costs beyond
 * this is its own. */
#include <dlfcn.h>
#include <stddef.h>

static void *first_malloc(size_t size);
static void first_free(void *block);
static void *(*next_malloc)(size_t) = first_malloc;
static void (*next_free)(void *) = first_free;

static void *first_malloc(size_t size)
{
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    return next_malloc(size);
}

static void first_free(void *block)
{
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    next_free(block);
}

void *malloc(size_t size)
{
    return next_malloc(size);
}

void free(void *block)
{
    next_free(block);
}
