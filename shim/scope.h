/* SPDX-License-Identifier: MIT */
/*
 * The loader's list of objects, read as memory: which object comes after us in the order of symbol
 * search, and what it defines. Replaces dlsym(RTLD_NEXT, ...), which locks and may allocate.
 */
#ifndef KP_SCOPE_H
#define KP_SCOPE_H

#include <link.h>

/* Our own entry, and the executable's. */
struct link_map *kp_scope_self(void);
struct link_map *kp_scope_program(void);

/* Address of a function or variable that this object defines and exports, or NULL. */
void *kp_scope_find(const struct link_map *object, const char *name);

/* Its size, 0 when there is none. */
size_t kp_scope_size(const struct link_map *object, const char *name);

/* The first definition from `from` on; *owner is the object that has it. */
void *kp_scope_find_from(struct link_map *from, const char *name, struct link_map **owner);

/* An object's program headers. */
struct kp_segments {
    const struct link_map *object;
    const ElfW(Phdr) *table;
    unsigned count; /* 0: the loader does not know the object */
};
struct kp_segments kp_scope_segments(const struct link_map *object);

/* First and last address of an object's segments. */
void kp_scope_range(const struct link_map *object, uintptr_t *start, uintptr_t *end);

#endif
