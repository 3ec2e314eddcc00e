/* SPDX-License-Identifier: MIT */
/*
 * Loads modules, locations, frames and the stack tree. One pass over each table, in order of id:
 * 200,000 sites share most of their frames, so this is cheaper than resolving stack by stack, and
 * it lets the innermost frame of the program's own be found in one pass from the callers inwards.
 * A row that refers to nothing, or to itself, is cut off there. One thread.
 */
#include "query_stacks.h"
#include "query_db.h"

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

static int load_modules(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    sqlite3_stmt *st =
        kp_query_prepare(query, "SELECT id, path, build_id, symbols FROM module ORDER BY id",
                         error);
    int step = st ? 1 : -1;
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1) {
        struct kp_module *grown = kp_grow(s->modules, s->module_count, sizeof *grown);
        if (!grown) {
            step = kp_query_no_memory(error);
            break;
        }
        s->modules = grown;
        s->modules[s->module_count++] =
            (struct kp_module){sqlite3_column_int64(st, 0), kp_column_name(query, st, 1),
                               kp_column_name(query, st, 2), kp_column_name(query, st, 3)};
    }
    sqlite3_finalize(st);
    return step;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What stands for a name where the symbols were not looked up (yet). */
static const char *address_name(struct kp_query *query, const char *module, int64_t address)
{
    char text[300];
    if (*module)
        snprintf(text, sizeof text, "%.200s+0x%llx", base_name(module),
                 (unsigned long long)address);
    else
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
    return kp_names_add(&query->names, text);
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

/* One row: columns id, module_id, address of the location, then function, file, line, exact. */
static int add_location_row(struct kp_query *query, struct kp_stacks *s, sqlite3_stmt *st)
{
    int64_t id = sqlite3_column_int64(st, 0);
    uint32_t module =
        find_id(s->modules, s->module_count, sizeof *s->modules, sqlite3_column_int64(st, 1));
    struct kp_frame frame = {.file = "",
                             .module = module == KP_NO_INDEX ? "" : s->modules[module].path};
    if (sqlite3_column_type(st, 3) == SQLITE_NULL) {
        frame.function = address_name(query, frame.module, sqlite3_column_int64(st, 2));
    } else {
        frame.function = kp_column_name(query, st, 3);
        frame.file = kp_column_name(query, st, 4);
        frame.line = kp_column_whole(st, 5);
        frame.exact = sqlite3_column_int64(st, 6) != 0;
    }
    struct kp_location *last = s->location_count ? &s->locations[s->location_count - 1] : NULL;
    if (last && last->id == id) {
        s->frames[s->frame_count - 1].inlined = true;
        last->frame_count++;
        return add_frame(s, &frame);
    }
    struct kp_location *grown = kp_grow(s->locations, s->location_count, sizeof *grown);
    if (!grown || s->location_count >= KP_NO_INDEX - 1)
        return -1;
    s->locations = grown;
    s->locations[s->location_count++] =
        (struct kp_location){id, (uint32_t)s->frame_count, 1, KP_NO_INDEX};
    return add_frame(s, &frame);
}

static int load_locations(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    sqlite3_stmt *st = kp_query_prepare(
        query,
        "SELECT l.id, l.module_id, l.address, f.function, f.file, f.line, f.exact FROM location l "
        "LEFT JOIN frame f ON f.location_id = l.id ORDER BY l.id, f.depth",
        error);
    int step = st ? 1 : -1;
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1)
        if (add_location_row(query, s, st) != 0)
            step = kp_query_no_memory(error);
    sqlite3_finalize(st);
    for (size_t i = 0; i < s->location_count; i++) {
        struct kp_location *l = &s->locations[i];
        for (uint32_t f = l->first_frame; f < l->first_frame + l->frame_count; f++) {
            s->frames[f].plumbing =
                kp_frame_is_plumbing(s->frames[f].function, s->frames[f].module);
            if (!s->frames[f].plumbing && l->own == KP_NO_INDEX)
                l->own = f;
        }
    }
    return step;
}

static void link_node(struct kp_stacks *s, struct kp_stack_node *node, int64_t parent_id,
                      int64_t location_id)
{
    node->location = find_id(s->locations, s->location_count, sizeof *s->locations, location_id);
    node->parent = find_id(s->nodes, s->node_count, sizeof *s->nodes, parent_id);
    node->own = KP_NO_INDEX;
    if (node->location != KP_NO_INDEX)
        node->own = s->locations[node->location].own;
    if (node->own == KP_NO_INDEX && node->parent != KP_NO_INDEX)
        node->own = s->nodes[node->parent].own;
}

static int load_nodes(struct kp_query *query, struct kp_stacks *s, struct kp_error *error)
{
    sqlite3_stmt *st =
        kp_query_prepare(query, "SELECT id, parent_id, location_id FROM stack ORDER BY id", error);
    int step = st ? 1 : -1;
    while (step == 1 && (step = kp_query_step(query, st, error)) == 1) {
        struct kp_stack_node *grown = kp_grow(s->nodes, s->node_count, sizeof *grown);
        if (!grown || s->node_count >= KP_NO_INDEX - 1) {
            step = kp_query_no_memory(error);
            break;
        }
        s->nodes = grown;
        struct kp_stack_node node = {.id = sqlite3_column_int64(st, 0)};
        link_node(s, &node, sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2));
        s->nodes[s->node_count++] = node;
    }
    sqlite3_finalize(st);
    return step;
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

/* The innermost frame with an exact name in this module, no plumbing, from node outwards. */
static uint32_t exact_in_module(const struct kp_stacks *s, uint32_t node, const char *module)
{
    for (; node != KP_NO_INDEX; node = s->nodes[node].parent) {
        if (s->nodes[node].location == KP_NO_INDEX)
            continue;
        const struct kp_location *l = &s->locations[s->nodes[node].location];
        for (uint32_t f = l->first_frame; f < l->first_frame + l->frame_count; f++)
            if (s->frames[f].exact && !s->frames[f].plumbing && s->frames[f].module == module)
                return f;
    }
    return KP_NO_INDEX;
}

uint32_t kp_stacks_telling(const struct kp_stacks *s, uint32_t node)
{
    uint32_t own = s->nodes[node].own;
    if (own == KP_NO_INDEX) {
        uint32_t location = s->nodes[node].location;
        return location == KP_NO_INDEX ? KP_NO_INDEX : s->locations[location].first_frame;
    }
    if (s->frames[own].exact)
        return own;
    uint32_t exact = exact_in_module(s, node, s->frames[own].module);
    return exact == KP_NO_INDEX ? own : exact;
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
