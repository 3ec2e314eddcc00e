/* SPDX-License-Identifier: MIT */
/*
 * All functions of Python's C API that extensions call through us; each file that has hooks brings a
 * table that ends with a NULL name.
 */
#ifndef KP_HOOK_TABLE_H
#define KP_HOOK_TABLE_H

#include "got.h"

extern struct kp_hook kp_convert_hooks[] __attribute__((visibility("hidden")));
extern const struct kp_hook kp_variadic_hooks[] __attribute__((visibility("hidden")));
extern const struct kp_hook kp_gil_hooks[] __attribute__((visibility("hidden")));
extern const struct kp_hook kp_entry_hooks[] __attribute__((visibility("hidden")));
extern const struct kp_hook kp_type_hooks[] __attribute__((visibility("hidden")));

/* Finds the functions behind the hooks. Once, when the interpreter is known. */
void kp_hooks_resolve(void);

#endif
