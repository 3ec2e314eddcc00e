/* SPDX-License-Identifier: MIT */
/*
 * Arrays with a hash index each, see stack_tree.h.
 */
#include "stack_tree.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

void kp_stack_tree_release(struct kp_stack_tree *tree)
{
    for (uint32_t i = 1; i <= tree->module_count; i++) {
        free(tree->modules[i].path);
        free(tree->modules[i].build_id);
    }
    free(tree->modules);
    free(tree->locations);
    free(tree->stacks);
    kp_index_free(&tree->module_index);
    kp_index_free(&tree->location_index);
    kp_index_free(&tree->stack_index);
    memset(tree, 0, sizeof *tree);
}

uint32_t kp_stack_tree_module(struct kp_stack_tree *tree, const char *path, size_t path_bytes,
                              const char *build_id_hex)
{
    uint64_t hash =
        kp_hash_bytes(build_id_hex, strlen(build_id_hex), kp_hash_bytes(path, path_bytes, 0));
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&tree->module_index, hash, &at))) {
        const struct kp_tree_module *module = &tree->modules[id];

        if (strlen(module->path) == path_bytes && !memcmp(module->path, path, path_bytes) &&
            !strcmp(module->build_id, build_id_hex))
            return id;
    }
    id = ++tree->module_count;
    tree->modules =
        kp_array_grow(tree->modules, &tree->module_capacity, (size_t)id + 1, sizeof *tree->modules);
    tree->modules[id].path = kp_copy_text(path, path_bytes);
    tree->modules[id].build_id = kp_copy_text(build_id_hex, strlen(build_id_hex));
    kp_index_insert(&tree->module_index, hash, id);
    return id;
}

uint32_t kp_stack_tree_location(struct kp_stack_tree *tree, uint32_t module, uint64_t address)
{
    uint64_t hash = kp_hash2(module, address);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&tree->location_index, hash, &at)))
        if (tree->locations[id].address == address && tree->locations[id].module == module)
            return id;
    id = ++tree->location_count;
    tree->locations = kp_array_grow(tree->locations, &tree->location_capacity, (size_t)id + 1,
                                    sizeof *tree->locations);
    tree->locations[id] = (struct kp_tree_location){address, module};
    kp_index_insert(&tree->location_index, hash, id);
    return id;
}

uint32_t kp_stack_tree_stack(struct kp_stack_tree *tree, uint32_t parent, uint32_t location)
{
    uint64_t hash = kp_hash2(parent, location);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&tree->stack_index, hash, &at)))
        if (tree->stacks[id].parent == parent && tree->stacks[id].location == location)
            return id;
    id = ++tree->stack_count;
    tree->stacks =
        kp_array_grow(tree->stacks, &tree->stack_capacity, (size_t)id + 1, sizeof *tree->stacks);
    tree->stacks[id] = (struct kp_tree_stack){parent, location};
    kp_index_insert(&tree->stack_index, hash, id);
    return id;
}

void kp_stack_tree_settle(struct kp_stack_tree *tree)
{
    tree->modules_stored = tree->module_count;
    tree->locations_stored = tree->location_count;
    tree->stacks_stored = tree->stack_count;
}
