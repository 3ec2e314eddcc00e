/* SPDX-License-Identifier: MIT */
/*
 * Python's object allocators: the mem and object domains, and the arenas that Python's own
 * allocator takes from the system. Wrapped by PyMem_SetAllocator, from the constructor on.
 */
#ifndef KP_PYTHON_DOMAINS_H
#define KP_PYTHON_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

/* Puts our functions in front, if there is a Python and they are not there. Python's
 * initialisation may replace its allocators (PYTHONMALLOC, -X dev): called again, with the guard
 * set, by whatever is sampled until Python says that it is initialised. */
void kp_python_domains_wrap(void);

extern bool kp_python_domains_settled __attribute__((visibility("hidden")));

/* Bytes of arenas that Python's own allocator has taken and not given back. */
uint64_t kp_python_arena_bytes(void);

/* Is an anonymous mapping, made by code at this address with these flags, an arena? Either this
 * thread is taking one, or it is made by the allocator that newer Pythons have built in. */
bool kp_python_maps_arena(uintptr_t caller, int flags);

/* Around the counting of an arena: it is no request of anybody. */
int64_t kp_python_arena_begin(void);
void kp_python_arena_end(int64_t left);

#endif
