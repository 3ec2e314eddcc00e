/* SPDX-License-Identifier: MIT */
/*
 * The tree of stacks of a database in memory, with the names of its frames. Private to query_*.c;
 * the public part is kp_query_load_stacks() and kp_query_frames() in query.h.
 */
#ifndef KP_QUERY_STACKS_H
#define KP_QUERY_STACKS_H

#include "query.h"

#include <stdint.h>

#define KP_NO_INDEX UINT32_MAX

struct kp_module {
    int64_t id;
    const char *path, *build_id, *symbols;
    bool interpreter; /* Python's */
};
struct kp_location {
    int64_t id;
    uint32_t module;                   /* index, KP_NO_INDEX none */
    uint32_t first_frame, frame_count; /* in kp_stacks.frames, innermost first; at least 1 */
    uint32_t own;      /* the innermost frame that is no plumbing, or KP_NO_INDEX */
    uint32_t entry;    /* the outermost that is an entry into the interpreter, or KP_NO_INDEX */
    bool python;       /* of Python: then `own` is its line */
    bool of_python;    /* native, of the interpreter */
};
/* A caller has a lower index than what it calls, so a walk outwards ends. */
struct kp_stack_node {
    int64_t id;
    uint32_t parent, location; /* indices, KP_NO_INDEX none */
    /* Of the whole stack that ends here: frames, KP_NO_INDEX none. See struct kp_telling. */
    uint32_t line, stdlib_line, python; /* Python lines: the innermost outside the standard library,
                                         * outside the import system, of all */
    uint32_t native;       /* inside the innermost Python line, no plumbing, not the interpreter */
    uint32_t own, entry;   /* as above; own the innermost, entry the outermost */
};
struct kp_stacks {
    struct kp_module *modules; /* sorted by id, like the two below */
    struct kp_location *locations;
    struct kp_stack_node *nodes;
    struct kp_frame *frames;
    size_t module_count, location_count, node_count, frame_count;
};

/* kp_frames_telling() of the stack that ends at this node; indices of stacks->frames. */
struct kp_stack_telling {
    uint32_t line, python, native;
};
struct kp_stack_telling kp_stacks_telling(const struct kp_stacks *stacks, uint32_t node);
/* Path of the module that asked libc for a mapping; "" not known. */
const char *kp_stacks_mapper(const struct kp_stacks *stacks, int64_t stack_id);
bool kp_stacks_has_native(const struct kp_stacks *stacks, uint32_t node);
uint32_t kp_stacks_find(const struct kp_stacks *stacks, int64_t stack_id);
const struct kp_module *kp_stacks_module(const struct kp_stacks *stacks, const char *path);
void kp_stacks_free(struct kp_stacks *stacks);

#endif
