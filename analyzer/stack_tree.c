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
    for (uint32_t i = 1; i <= tree->code_count; i++) {
        free(tree->codes[i].file);
        free(tree->codes[i].function);
    }
    free(tree->modules);
    free(tree->codes);
    free(tree->locations);
    free(tree->stacks);
    kp_index_free(&tree->module_index);
    kp_index_free(&tree->code_index);
    kp_index_free(&tree->location_index);
    kp_index_free(&tree->stack_index);
    memset(tree, 0, sizeof *tree);
}

static bool is_text(const char *have, const char *wanted, size_t bytes)
{
    return strlen(have) == bytes && !memcmp(have, wanted, bytes);
}

uint32_t kp_stack_tree_module(struct kp_stack_tree *tree, const char *path, size_t path_bytes,
                              const char *build_id_hex)
{
    uint64_t hash =
        kp_hash_bytes(build_id_hex, strlen(build_id_hex), kp_hash_bytes(path, path_bytes, 0));
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&tree->module_index, hash, &at))) {
        const struct kp_tree_module *module = &tree->modules[id];

        if (is_text(module->path, path, path_bytes) && !strcmp(module->build_id, build_id_hex))
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

uint32_t kp_stack_tree_code(struct kp_stack_tree *tree, const struct kp_code_name *name)
{
    uint64_t hash = kp_hash_bytes(name->function, name->function_bytes,
                                  kp_hash_bytes(name->file, name->file_bytes, name->first_line));
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&tree->code_index, hash, &at))) {
        const struct kp_tree_code *code = &tree->codes[id];

        if (code->first_line == name->first_line &&
            is_text(code->function, name->function, name->function_bytes) &&
            is_text(code->file, name->file, name->file_bytes))
            return id;
    }
    id = ++tree->code_count;
    tree->codes =
        kp_array_grow(tree->codes, &tree->code_capacity, (size_t)id + 1, sizeof *tree->codes);
    tree->codes[id] =
        (struct kp_tree_code){kp_copy_text(name->file, name->file_bytes),
                              kp_copy_text(name->function, name->function_bytes), name->first_line};
    kp_index_insert(&tree->code_index, hash, id);
    return id;
}

uint32_t kp_stack_tree_location(struct kp_stack_tree *tree, uint32_t module, uint32_t code,
                                uint64_t address)
{
    uint64_t hash = kp_hash2((uint64_t)code << 32 | module, address);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&tree->location_index, hash, &at)))
        if (tree->locations[id].address == address && tree->locations[id].module == module &&
            tree->locations[id].code == code)
            return id;
    id = ++tree->location_count;
    tree->locations = kp_array_grow(tree->locations, &tree->location_capacity, (size_t)id + 1,
                                    sizeof *tree->locations);
    tree->locations[id] = (struct kp_tree_location){address, module, code};
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
    tree->codes_stored = tree->code_count;
    tree->locations_stored = tree->location_count;
    tree->stacks_stored = tree->stack_count;
}
