/* SPDX-License-Identifier: MIT */
/*
 * Entries: the places where native code is entered from Python, or takes the GIL on a thread of
 * its own. Each has a number; functions get a thunk (entry_thunk.c) that Python calls instead.
 */
#ifndef KP_ENTRY_H
#define KP_ENTRY_H

#include "record.h"

#include <stdbool.h>
#include <stdint.h>

#define KP_THUNKS 8192u
#define KP_THUNK_BYTES 16u

struct kp_entry {
    void *address;    /* the function behind the thunk, or the begin of the module; NULL: thread */
    const char *name; /* a copy */
    uint16_t name_bytes;
    uint16_t kind;    /* enum kp_entry_kind */
    uint32_t next;    /* in its chain of the table, 0: none */
};
/* By number; from KP_THUNKS + 1 on they have no thunk. NULL until one is made. */
extern struct kp_entry *kp_entries __attribute__((visibility("hidden")));

/* The number of an entry, made when there is none yet like it (the same address and name);
 * 0: no more room. "prefix.name", or the name alone. Under kp_state.entries_lock. */
uint32_t kp_entry_number(enum kp_entry_kind kind, void *address, const char *prefix,
                         const char *name);

/* The same for what has no thunk; with the guard set, takes the lock itself. */
uint32_t kp_entry_of_thread(void);
uint32_t kp_entry_of_module(uintptr_t start, const char *path);

/* Tells the reader of it, once in a process. With the guard set. False: no room. */
bool kp_entry_tell(uint32_t number);

/* What Python is to call for this entry, and back again: the function behind a thunk, or what was
 * given. */
void *kp_entry_thunk(uint32_t number);
void *kp_entry_function(void *function);
bool kp_entry_is_thunk(const void *function);

#endif
