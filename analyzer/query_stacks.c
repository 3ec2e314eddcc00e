/* SPDX-License-Identifier: MIT */
/*
 * Loads modules, locations, frames and the stack tree. One pass over each table, in order of id:
 * 200,000 sites share most of their frames, so this is cheaper than resolving stack by stack, and
 * it lets the innermost frame of the program's own be found in one pass from the callers inwards.
 * A row that refers to nothing, or to itself, is cut off there. One thread.
 */
#include "query_stacks.h"
#include "query_db.h"
#include "query_interpreter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Index of the element with this id in an array sorted by id, whose structs begin with the id. */
static uint32_t find_id(const void *items, size_t count, size_t item_bytes, int64_t id)
{
    const char *base = items;
    size_t low = 0, high = count;
    if (id > 0 && (uint64_t)id <= count) { /* ids without a hole: the common case */
        int64_t here;
        memcpy(&here, base + (size_t)(id - 1) * item_bytes, sizeof here);
        if (here == id)
            return (uint32_t)(id - 1);
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t here;
        memcpy(&here, base + middle * item_bytes, sizeof here);
        if (here == id)
            return (uint32_t)middle;
        *(here < id ? &low : &high) = here < id ? middle + 1 : middle;
    }
    return KP_NO_INDEX;
}

static int add_module(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_stacks *s = to;
    struct kp_module *module = kp_append(&s->modules, &s->module_count, sizeof *module);
    if (!module)
        return -1;
    *module = (struct kp_module){sqlite3_column_int64(st, 0), kp_column_name(query, st, 1),
                                 kp_column_name(query, st, 2), kp_column_name(query, st, 3), false};
    return 0;
}

static int load_modules(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    return kp_query_rows(query, "SELECT id, path, build_id, symbols FROM module ORDER BY id", 0,
                         add_module, s, error);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "libzip.so.4+0x12345 [cc030123]": the build-id tells which libzip that was. */
static const char *address_name(struct kp_query *query, const struct kp_module *module,
                                int64_t address)
{
    char text[300];
    if (!module || !*module->path)
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
    else
        snprintf(text, sizeof text, *module->build_id ? "%.200s+0x%llx [%.8s]" : "%.200s+0x%llx",
                 base_name(module->path), (unsigned long long)address, module->build_id);
    return kp_names_add(&query->names, text);
}

/* The symboliser found no name at all: module+0xoffset. */
static bool is_nameless(const struct kp_frame *frame)
{
    const char *module = base_name(frame->module);
    size_t length = strlen(module);
    return !frame->exact && !*frame->file && strncmp(frame->function, module, length) == 0 &&
           (length > 0 ? strncmp(frame->function + length, "+0x", 3) == 0
                       : strncmp(frame->function, "0x", 2) == 0);
}

static int add_frame(struct kp_stacks *s, const struct kp_frame *frame)
{
    if (s->frame_count >= KP_NO_INDEX - 1)
        return -1;
    struct kp_frame *grown = kp_grow(s->frames, s->frame_count, sizeof *grown);
    if (!grown)
        return -1;
    s->frames = grown;
    s->frames[s->frame_count++] = *frame;
    return 0;
}

/* Columns id, module_id, address of the location, then function, file, line, exact, lang. */
static struct kp_frame read_frame(struct kp_query *query, const struct kp_module *module,
                                  sqlite3_stmt *st)
{
    const char *lang = (const char *)sqlite3_column_text(st, 7);
    struct kp_frame frame = {.function = "", .file = "", .module = module ? module->path : ""};
    if (sqlite3_column_type(st, 3) != SQLITE_NULL) {
        frame.function = kp_column_name(query, st, 3);
        frame.file = kp_column_name(query, st, 4);
        frame.line = kp_column_whole(st, 5);
        frame.exact = sqlite3_column_int64(st, 6) != 0;
        frame.python = lang && strcmp(lang, "python") == 0;
    }
    frame.nameless = !frame.python && (!*frame.function || is_nameless(&frame));
    if (frame.nameless)
        frame.function = address_name(query, module, sqlite3_column_int64(st, 2));
    frame.is_stdlib = frame.python ? kp_is_standard_library(frame.file)
                                   : strstr(frame.module, "/lib-dynload/") != NULL;
    frame.plumbing = !frame.python && (kp_frame_is_plumbing(frame.function, frame.module) ||
                                       kp_is_rust_library(frame.file));
    return frame;
}

static int add_location_row(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_stacks *s = to;
    int64_t id = sqlite3_column_int64(st, 0);
    uint32_t module =
        find_id(s->modules, s->module_count, sizeof *s->modules, sqlite3_column_int64(st, 1));
    struct kp_frame frame =
        read_frame(query, module == KP_NO_INDEX ? NULL : &s->modules[module], st);
    struct kp_location *last = s->location_count ? &s->locations[s->location_count - 1] : NULL;
    if (last && last->id == id) {
        s->frames[s->frame_count - 1].inlined = true;
        last->frame_count++;
        return add_frame(s, &frame);
    }
    if (s->location_count >= KP_NO_INDEX - 1)
        return -1;
    struct kp_location *location = kp_append(&s->locations, &s->location_count, sizeof *location);
    if (!location)
        return -1;
    *location = (struct kp_location){.id = id,
                                     .module = module,
                                     .first_frame = (uint32_t)s->frame_count,
                                     .frame_count = 1,
                                     .own = KP_NO_INDEX,
                                     .entry = KP_NO_INDEX};
    return add_frame(s, &frame);
}

static void mark_module(struct kp_stacks *s, const char *path)
{
    for (size_t i = 0; i < s->module_count; i++)
        if (s->modules[i].path == path)
            s->modules[i].interpreter = true;
}

/* A program is the interpreter itself if it is called python, or if there is no library that is:
 * one that embeds Python has frames of its own to show. */
static int mark_programs(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    bool library = false;
    for (size_t i = 0; i < s->module_count; i++)
        library |= s->modules[i].interpreter;
    sqlite3_stmt *st =
        kp_query_prepare(query, "SELECT DISTINCT exe FROM process WHERE python <> ''", error);
    int step = st ? 1 : -1;
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1) {
        const char *exe = kp_column_name(query, st, 0);
        if (!library || strncmp(base_name(exe), "python", 6) == 0)
            mark_module(s, exe);
    }
    sqlite3_finalize(st);
    return step;
}

static int mark_interpreters(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    for (size_t i = 0; i < s->module_count; i++)
        s->modules[i].interpreter = kp_is_python_library(s->modules[i].path);
    for (size_t i = 0; i < s->frame_count; i++)
        if (!s->frames[i].python && *s->frames[i].module &&
            kp_is_python_loop(s->frames[i].function))
            mark_module(s, s->frames[i].module);
    return mark_programs(query, s, error);
}

/* What the nodes ask of each location. */
static void sum_up_location(struct kp_stacks *s, struct kp_location *l)
{
    bool interpreter = l->module != KP_NO_INDEX && s->modules[l->module].interpreter;
    for (uint32_t f = l->first_frame; f < l->first_frame + l->frame_count; f++) {
        struct kp_frame *frame = &s->frames[f];
        frame->of_python = interpreter && !frame->python;
        l->python |= frame->python;
        l->of_python |= frame->of_python;
        if (!frame->plumbing && l->own == KP_NO_INDEX)
            l->own = f;
        if (kp_is_python_entry(frame))
            l->entry = f;
    }
}

/* Frames of a location: the collector writes no more, a damaged database may have thousands. */
#define INLINED_MAX "64"

static int load_locations(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    int step = kp_query_rows(
        query,
        "SELECT l.id, l.module_id, l.address, f.function, f.file, f.line, f.exact, f.lang "
        "FROM location l LEFT JOIN frame f ON f.location_id = l.id AND f.depth < " INLINED_MAX
        " ORDER BY l.id, f.depth",
        0, add_location_row, s, error);
    if (step == 0)
        step = mark_interpreters(query, s, error);
    for (size_t i = 0; i < s->location_count; i++)
        sum_up_location(s, &s->locations[i]);
    return step;
}

/* What the stack is told by: as its caller's, unless this location changes it. */
static void tell_node(const struct kp_stacks *s, struct kp_stack_node *node)
{
    static const struct kp_stack_node none = {.line = KP_NO_INDEX,
                                              .stdlib_line = KP_NO_INDEX,
                                              .python = KP_NO_INDEX,
                                              .native = KP_NO_INDEX,
                                              .own = KP_NO_INDEX,
                                              .entry = KP_NO_INDEX};
    const struct kp_stack_node *caller = node->parent == KP_NO_INDEX ? &none
                                                                     : &s->nodes[node->parent];
    node->line = caller->line;
    node->stdlib_line = caller->stdlib_line;
    node->python = caller->python;
    node->native = caller->native;
    node->own = caller->own;
    node->entry = caller->entry;
    if (node->location == KP_NO_INDEX || s->locations[node->location].own == KP_NO_INDEX)
        return;
    const struct kp_location *l = &s->locations[node->location];
    node->own = l->own;
    if (node->entry == KP_NO_INDEX)
        node->entry = l->entry;
    if (l->python) {
        node->python = l->own;
        node->native = KP_NO_INDEX;
        if (!kp_is_import_system(s->frames[l->own].file))
            node->stdlib_line = l->own;
        if (!s->frames[l->own].is_stdlib)
            node->line = l->own;
    } else if (!l->of_python) {
        node->native = l->own;
    }
}

static int add_node(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_stacks *s = to;
    struct kp_stack_node node = {
        .id = sqlite3_column_int64(st, 0),
        .parent = find_id(s->nodes, s->node_count, sizeof *s->nodes, sqlite3_column_int64(st, 1)),
        .location = find_id(s->locations, s->location_count, sizeof *s->locations,
                            sqlite3_column_int64(st, 2)),
    };
    (void)query;
    if (s->node_count >= KP_NO_INDEX - 1)
        return -1;
    tell_node(s, &node);
    struct kp_stack_node *added = kp_append(&s->nodes, &s->node_count, sizeof *added);
    if (added)
        *added = node;
    return added ? 0 : -1;
}

static int load_nodes(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    return kp_query_rows(query, "SELECT id, parent_id, location_id FROM stack ORDER BY id", 0,
                         add_node, s, error);
}

int kp_query_load_stacks(struct kp_query *query, struct kp_error *error)
{
    if (query->stacks)
        return 0;
    struct kp_stacks *s = calloc(1, sizeof *s);
    if (!s)
        return kp_query_no_memory(error);
    query->stacks = s;
    if (load_modules(query, s, error) != 0 || load_locations(query, s, error) != 0)
        return -1;
    return load_nodes(query, s, error);
}

uint32_t kp_stacks_find(const struct kp_stacks *s, int64_t stack_id)
{
    return find_id(s->nodes, s->node_count, sizeof *s->nodes, stack_id);
}

/* The innermost frame with a name of its own in this module, no plumbing, from node outwards to
 * the first Python line. */
static uint32_t named_in_module(const struct kp_stacks *s, uint32_t node, const char *module)
{
    for (; node != KP_NO_INDEX; node = s->nodes[node].parent) {
        if (s->nodes[node].location == KP_NO_INDEX)
            continue;
        const struct kp_location *l = &s->locations[s->nodes[node].location];
        if (l->python)
            break;
        for (uint32_t f = l->first_frame; f < l->first_frame + l->frame_count; f++) {
            const struct kp_frame *frame = &s->frames[f];
            if ((frame->exact || *frame->file) && !frame->plumbing && frame->module == module)
                return f;
        }
    }
    return KP_NO_INDEX;
}

struct kp_stack_telling kp_stacks_telling(const struct kp_stacks *s, uint32_t node)
{
    const struct kp_stack_node *n = &s->nodes[node];
    struct kp_stack_telling telling = {n->line, n->python, n->native};
    if (telling.native != KP_NO_INDEX && !s->frames[telling.native].exact) {
        uint32_t named = named_in_module(s, node, s->frames[telling.native].module);
        telling.native = named == KP_NO_INDEX ? telling.native : named;
    }
    if (telling.native == KP_NO_INDEX && telling.python == KP_NO_INDEX)
        telling.native = n->entry != KP_NO_INDEX ? n->entry : n->own;
    if (telling.native == KP_NO_INDEX && telling.python == KP_NO_INDEX &&
        n->location != KP_NO_INDEX)
        telling.native = s->locations[n->location].first_frame;
    if (telling.line == KP_NO_INDEX)
        telling.line = n->stdlib_line;
    if (telling.line == KP_NO_INDEX)
        telling.line = telling.python == KP_NO_INDEX ? telling.native : telling.python;
    return telling;
}

/* libc's own frames say nothing about who wanted it. */
const char *kp_stacks_mapper(const struct kp_stacks *s, int64_t stack_id)
{
    uint32_t node = kp_stacks_find(s, stack_id);

    for (; node != KP_NO_INDEX; node = s->nodes[node].parent) {
        uint32_t location = s->nodes[node].location;
        const char *module =
            location == KP_NO_INDEX ? "" : s->frames[s->locations[location].first_frame].module;

        if (*module && !strstr(module, "/libc.so") && !strstr(module, "/libkprof"))
            return module;
    }
    return "";
}

bool kp_stacks_has_native(const struct kp_stacks *s, uint32_t node)
{
    for (; node != KP_NO_INDEX; node = s->nodes[node].parent)
        if (s->nodes[node].location != KP_NO_INDEX &&
            !s->locations[s->nodes[node].location].python)
            return true;
    return false;
}

const struct kp_module *kp_stacks_module(const struct kp_stacks *s, const char *path)
{
    for (size_t i = 0; i < s->module_count; i++)
        if (s->modules[i].path == path)
            return &s->modules[i];
    return NULL;
}

size_t kp_query_frames(const struct kp_query *query, int64_t stack_id, struct kp_frame *frames,
                       size_t max)
{
    const struct kp_stacks *s = query->stacks;
    size_t count = 0;
    for (uint32_t n = kp_stacks_find(s, stack_id); n != KP_NO_INDEX; n = s->nodes[n].parent) {
        if (s->nodes[n].location == KP_NO_INDEX)
            continue;
        const struct kp_location *l = &s->locations[s->nodes[n].location];
        for (uint32_t f = 0; f < l->frame_count && count < max; f++)
            frames[count++] = s->frames[l->first_frame + f];
    }
    kp_frames_mark_interpreter(frames, count);
    return count;
}

void kp_stacks_free(struct kp_stacks *s)
{
    if (!s)
        return;
    free(s->modules);
    free(s->locations);
    free(s->nodes);
    free(s->frames);
    free(s);
}
