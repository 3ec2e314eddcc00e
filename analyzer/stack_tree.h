/* SPDX-License-Identifier: MIT */
/*
 * Modules, locations and the tree of calls, shared by all processes of a recording, so that a
 * thousand children of one program have its stacks once. All are numbered from 1 as their rows in
 * the database; 0 is "no module" and "no stack". Nothing is ever removed. One thread.
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
struct kp_tree_location {
    uint64_t address; /* in the file's own address space */
    uint32_t module;
};
struct kp_tree_stack {
    uint32_t parent;
    uint32_t location;
};

struct kp_stack_tree {
    struct kp_tree_module *modules; /* [1 .. module_count] */
    struct kp_tree_location *locations;
    struct kp_tree_stack *stacks;
    uint32_t module_count, location_count, stack_count;
    uint32_t modules_stored, locations_stored, stacks_stored; /* these have rows */
    size_t module_capacity, location_capacity, stack_capacity;
    struct kp_index module_index, location_index, stack_index;
};

void kp_stack_tree_release(struct kp_stack_tree *tree);

/* Each returns the number of what is asked for, which is added if it is new. */
uint32_t kp_stack_tree_module(struct kp_stack_tree *tree, const char *path, size_t path_bytes,
                              const char *build_id_hex);
uint32_t kp_stack_tree_location(struct kp_stack_tree *tree, uint32_t module, uint64_t address);
uint32_t kp_stack_tree_stack(struct kp_stack_tree *tree, uint32_t parent, uint32_t location);

/* What was added last is in the database. */
void kp_stack_tree_settle(struct kp_stack_tree *tree);

#endif
