/* SPDX-License-Identifier: MIT */
/*
 * Putting thunks where Python finds an extension's functions.
 */
#ifndef KP_ENTRY_WRAP_H
#define KP_ENTRY_WRAP_H

#include "iteration_api.h"
#include "record.h"

/* A function as Python is to call it: its thunk, or what was given when it is not to be wrapped.
 * Under kp_state.entries_lock, with the guard set. */
void *kp_entry_wrap(enum kp_entry_kind kind, void *function, const char *prefix, const char *name);

/* The last part of a dotted name. */
const char *kp_last_part(const char *name);

/* In place; a table ends with a NULL name. Take the guard and the lock themselves; keep errno. */
void kp_entry_wrap_method(struct kp_method_definition *definition, const char *prefix);
void kp_entry_wrap_methods(struct kp_method_definition *table, const char *prefix);

/* The guard and the lock, in a hook. */
bool kp_entries_open(uint64_t *cookie);
void kp_entries_close(void);

#endif
