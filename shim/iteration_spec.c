/* SPDX-License-Identifier: MIT */
/*
 * Reads the value of KPROF_ITERATION. At the start of the process, possibly before libc is set up,
 * so it depends on nothing else of the shim. Whether there is such a function is seen later.
 */
#include "iteration.h"

#include <string.h>

struct kp_iteration kp_iteration __attribute__((visibility("hidden")));

bool kp_iteration_parse(const char *text)
{
    const char *colon = strchr(text, ':');
    size_t module = colon ? (size_t)(colon - text) : 0, name = colon ? strlen(colon + 1) : 0;

    if (!module || !name || module >= sizeof kp_iteration.module ||
        name >= sizeof kp_iteration.name || strpbrk(colon + 1, ":/ ()") ||
        text[module - 1] == '.' || colon[1] == '.' || colon[name] == '.')
        return false;
    memcpy(kp_iteration.module, text, module);
    kp_iteration.module[module] = 0;
    memcpy(kp_iteration.name, colon + 1, name + 1);
    kp_iteration.last = strrchr(kp_iteration.name, '.');
    kp_iteration.last = kp_iteration.last ? kp_iteration.last + 1 : kp_iteration.name;
    return true;
}
