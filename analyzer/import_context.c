/* SPDX-License-Identifier: MIT */
/*
 * Contexts of stacks, see import_context.h. A stack has a higher number than its caller's, so that
 * all are worked out in order of number, each in constant time.
 */
#include "import_context.h"

#include "alloc.h"
#include "import_name.h"

#include <stdlib.h>
#include <string.h>

#define BOOTSTRAP "<frozen importlib._bootstrap>"
#define BUILT_IN "(built-in)"

void kp_import_contexts_init(struct kp_import_contexts *contexts, const struct kp_stack_tree *tree)
{
    *contexts = (struct kp_import_contexts){.tree = tree};
    contexts->contexts =
        kp_array_grow(NULL, &contexts->context_capacity, 1, sizeof *contexts->contexts);
    contexts->contexts[0] = (struct kp_import_context){0};
}

void kp_import_contexts_release(struct kp_import_contexts *contexts)
{
    for (uint32_t i = 1; i <= contexts->name_count; i++)
        free(contexts->names[i]);
    free(contexts->names);
    free(contexts->places);
    free(contexts->contexts);
    kp_index_free(&contexts->name_index);
    kp_index_free(&contexts->place_index);
    *contexts = (struct kp_import_contexts){0};
}

uint32_t kp_import_name_number(struct kp_import_contexts *contexts, const char *name)
{
    uint64_t hash = kp_hash_bytes(name, strlen(name), 0);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&contexts->name_index, hash, &at)))
        if (!strcmp(contexts->names[id], name))
            return id;
    id = ++contexts->name_count;
    contexts->names = kp_array_grow(contexts->names, &contexts->name_capacity, (size_t)id + 1,
                                    sizeof *contexts->names);
    contexts->names[id] = kp_copy_text(name, strlen(name));
    kp_index_insert(&contexts->name_index, hash, id);
    return id;
}

static uint32_t name_of_file(struct kp_import_contexts *contexts, const char *file)
{
    char name[KP_IMPORT_NAME_BYTES];

    kp_import_name(file, name);
    return kp_import_name_number(contexts, name);
}

static uint32_t place_number(struct kp_import_contexts *contexts, uint32_t below, uint32_t code)
{
    const struct kp_import_context *caller = &contexts->contexts[below];
    uint64_t hash = kp_hash2(below, code);
    uint32_t at = (uint32_t)hash, id;

    while ((id = kp_index_find(&contexts->place_index, hash, &at)))
        if (contexts->places[id].below == below && contexts->places[id].code == code)
            return id;
    id = ++contexts->place_count;
    contexts->places = kp_array_grow(contexts->places, &contexts->place_capacity, (size_t)id + 1,
                                     sizeof *contexts->places);
    contexts->places[id] = (struct kp_import_place){
        .below = below,
        .code = code,
        .outer = caller->place,
        .depth = caller->place ? contexts->places[caller->place].depth + 1 : 1,
        .interpreter = caller->native};
    kp_index_insert(&contexts->place_index, hash, id);
    return id;
}

/* Methods have their class before them from 3.11 on. */
static bool is_method(const char *function, const char *class_name, const char *method)
{
    size_t bytes = strlen(class_name);

    if (!strcmp(function, method))
        return true;
    return !strncmp(function, class_name, bytes) && function[bytes] == '.' &&
           !strcmp(function + bytes + 1, method);
}

static bool loads_extension(const struct kp_tree_code *code)
{
    return !strcmp(code->file, "<frozen importlib._bootstrap_external>") &&
           (is_method(code->function, "ExtensionFileLoader", "create_module") ||
            is_method(code->function, "ExtensionFileLoader", "exec_module"));
}

/* Before 3.11 also frozen modules, whose bodies show soon. */
static bool loads_built_in(const struct kp_tree_code *code)
{
    return !strcmp(code->file, BOOTSTRAP) &&
           (is_method(code->function, "BuiltinImporter", "create_module") ||
            is_method(code->function, "BuiltinImporter", "exec_module"));
}

static void enter_python(struct kp_import_contexts *contexts, struct kp_import_context *context,
                         uint32_t below, uint32_t number)
{
    const struct kp_tree_code *code = &contexts->tree->codes[number];

    if (!context->is_python && !kp_import_is_interpreter(code->file))
        context->program = number;
    context->is_python = true;
    context->is_loading = false;
    if (!strcmp(code->function, "_find_and_load") && !strcmp(code->file, BOOTSTRAP)) {
        context->place = place_number(contexts, below, number);
        context->module = 0;
        context->is_built_in = false;
    } else if (context->place && (!context->module || context->is_built_in)) {
        context->is_built_in = loads_built_in(code) || context->is_built_in;
        if (!strcmp(code->function, "<module>")) {
            context->module = name_of_file(contexts, code->file);
            context->is_built_in = false;
        } else if (context->is_built_in) {
            context->module = kp_import_name_number(contexts, BUILT_IN);
        }
        context->is_loading = loads_extension(code);
    }
}

/* What dlopen() runs before the interpreter calls the module's own function: the loader and the
 * constructors of libraries. */
static bool is_system_library(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

    return !strncmp(base, "ld-", 3) || !strncmp(base, "libc.", 5) || !strncmp(base, "libdl.", 6) ||
           !strncmp(base, "libkprof.", 9);
}

static void enter_native(struct kp_import_contexts *contexts, struct kp_import_context *context,
                         uint32_t module)
{
    uint32_t interpreter = context->place ? contexts->places[context->place].interpreter : 0;

    if (context->is_loading && interpreter && module && module != interpreter &&
        context->native == interpreter &&
        !is_system_library(contexts->tree->modules[module].path)) {
        context->module = name_of_file(contexts, contexts->tree->modules[module].path);
        context->is_loading = false;
    }
    context->native = module;
}

/* `_call_with_frames_removed` stands between a loader and the interpreter's own functions. */
static bool is_transparent(const struct kp_tree_code *code)
{
    return !strcmp(code->function, "_call_with_frames_removed") && !strcmp(code->file, BOOTSTRAP);
}

/* A tree that came out of a damaged database may name what is not there. */
static void work_out(struct kp_import_contexts *contexts, uint32_t stack)
{
    const struct kp_stack_tree *tree = contexts->tree;
    const struct kp_tree_stack *entry = &tree->stacks[stack];
    uint32_t parent = entry->parent < stack ? entry->parent : 0;
    struct kp_import_context context = contexts->contexts[parent];

    if (entry->location && entry->location <= tree->location_count) {
        const struct kp_tree_location *location = &tree->locations[entry->location];

        if (location->code && location->code <= tree->code_count) {
            if (!context.is_loading || !is_transparent(&tree->codes[location->code]))
                enter_python(contexts, &context, parent, location->code);
        } else if (location->module <= tree->module_count) {
            enter_native(contexts, &context, location->module);
        }
    }
    contexts->contexts[stack] = context;
}

const struct kp_import_context *kp_import_context_of(struct kp_import_contexts *contexts,
                                                     uint32_t stack)
{
    if (stack > contexts->known) {
        contexts->contexts = kp_array_grow(contexts->contexts, &contexts->context_capacity,
                                           (size_t)stack + 1, sizeof *contexts->contexts);
        while (contexts->known < stack) {
            work_out(contexts, contexts->known + 1);
            contexts->known++;
        }
    }
    return &contexts->contexts[stack];
}
