/* SPDX-License-Identifier: MIT */
/*
 * From names to hooks. Filled once, when the interpreter is known: whatever it does not have is not
 * hooked. Host's threads, with the guard set.
 */
#include "hook_table.h"

#include "python.h"

#include <string.h>

#define PLACES 1024u /* a power of two, well above the number of hooks */

static const struct kp_hook *places[PLACES];

static uint32_t place_of(const char *name)
{
    uint32_t hash = 5381;

    for (; *name; name++)
        hash = hash * 33 + (uint8_t)*name;
    return (hash ^ hash >> 15) % PLACES;
}

static void add(const struct kp_hook *hook)
{
    uint32_t place = place_of(hook->name);

    while (places[place])
        place = (place + 1) % PLACES;
    places[place] = hook;
}

void kp_hooks_resolve(void)
{
    const struct kp_hook *const tables[] = {kp_convert_hooks, kp_variadic_hooks, kp_gil_hooks,
                                            kp_entry_hooks, kp_type_hooks};

    for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct kp_hook *hook = tables[i]; hook->name; hook++) {
            *hook->real = kp_python_symbol(hook->name);
            if (*hook->real)
                add(hook);
        }
}

const struct kp_hook *kp_hook_find(const char *name)
{
    uint32_t place = place_of(name);

    for (; places[place]; place = (place + 1) % PLACES)
        if (strcmp(places[place]->name, name) == 0)
            return places[place];
    return NULL;
}
