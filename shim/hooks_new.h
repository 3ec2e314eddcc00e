/* SPDX-License-Identifier: MIT */
/*
 * C++ operators new and delete of an allocator that brings its own (mimalloc, jemalloc, tcmalloc).
 * libstdc++'s call malloc and free and are passed through.
 */
#ifndef KP_HOOKS_NEW_H
#define KP_HOOKS_NEW_H

#include <link.h>
#include <stdbool.h>

/* Called by kp_real_resolve(): `allocator` is the object that has the next malloc. */
void kp_new_resolve(struct link_map *next, const struct link_map *allocator);

/* Does reallocarray have to be counted, or does it call realloc? */
extern bool kp_reallocarray_is_counted __attribute__((visibility("hidden")));

#endif
