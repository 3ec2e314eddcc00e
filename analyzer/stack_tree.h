/* SPDX-License-Identifier: MIT */
/*
 * Modules, Python code, locations and the tree of calls, shared by all processes of a recording, so
 * that a thousand children of one program have its stacks once. All are numbered from 1 as their
 * rows in the database; 0 is "no module" and "no stack". Nothing is ever removed. One thread.
 */
#ifndef KP_STACK_TREE_H
#define KP_STACK_TREE_H

#include "id_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_tree_module {
    char *path;
    char *build_id; /* hex */
};
struct kp_tree_code { /* Python: a function, the body of a module, ... */
    char *file, *function;
    uint32_t first_line;
};
struct kp_tree_location {
    uint64_t address; /* in the file's own address space; of Python the line */
    uint32_t module;
    uint32_t code; /* 0: native */
};
struct kp_tree_stack {
    uint32_t parent;
    uint32_t location;
};

struct kp_stack_tree {
    struct kp_tree_module *modules; /* [1 .. module_count] */
    struct kp_tree_code *codes;
    struct kp_tree_location *locations;
    struct kp_tree_stack *stacks;
    uint32_t module_count, code_count, location_count, stack_count;
    uint32_t modules_stored, codes_stored, locations_stored, stacks_stored; /* these have rows */
    size_t module_capacity, code_capacity, location_capacity, stack_capacity;
    struct kp_index module_index, code_index, location_index, stack_index;
};

/* What tells one code from another; the texts need not end with a NUL and hold none. */
struct kp_code_name {
    const char *file, *function;
    size_t file_bytes, function_bytes;
    uint32_t first_line;
};

void kp_stack_tree_release(struct kp_stack_tree *tree);

/* Each returns the number of what is asked for, which is added if it is new. */
uint32_t kp_stack_tree_module(struct kp_stack_tree *tree, const char *path, size_t path_bytes,
                              const char *build_id_hex);
uint32_t kp_stack_tree_code(struct kp_stack_tree *tree, const struct kp_code_name *name);
uint32_t kp_stack_tree_location(struct kp_stack_tree *tree, uint32_t module, uint32_t code,
                                uint64_t address);
uint32_t kp_stack_tree_stack(struct kp_stack_tree *tree, uint32_t parent, uint32_t location);

/* What was added last is in the database. */
void kp_stack_tree_settle(struct kp_stack_tree *tree);

#endif
