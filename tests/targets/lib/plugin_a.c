/* SPDX-License-Identifier: MIT */
/* A library for dlopen; plugin_a and plugin_b differ in names only, so that the second is likely to
 * be loaded where the first one was: its stacks must carry its own name. */
#include "target.h"

NOINLINE void *plugin_a_inner(size_t size) { return keep_pointer(malloc(size)); }

NOINLINE void *plugin_allocate(size_t size)
{
    void *p = plugin_a_inner(size);
    return keep_pointer(p);
}
