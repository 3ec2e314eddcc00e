/* SPDX-License-Identifier: MIT */
/*
 * The global offset tables of extensions: where they call Python's C API through us. Each loaded
 * object is looked at once.
 */
#ifndef KP_GOT_H
#define KP_GOT_H

#include <stdbool.h>
#include <stdint.h>

struct kp_hook {
    const char *name;
    void *hook;
    void **real; /* the function behind it; NULL until the interpreter is known */
};

/* Looks for objects that have come since the last time. Asks the loader: not inside an allocator. */
void kp_got_look(void);

/* Number of the entry for what the object at this address does outside of any other; 0: none. */
uint32_t kp_got_module_entry(uintptr_t address);

/* Are functions at this address to be wrapped? Only those of objects that call through us. */
bool kp_got_wraps(uintptr_t address);

/* The hook for this name, NULL. The interpreter must be known. */
const struct kp_hook *kp_hook_find(const char *name);

#endif
