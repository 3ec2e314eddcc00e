/* SPDX-License-Identifier: MIT */
/*
 * The tree of calls: every site's frames are inserted from the outermost inwards (or, bottom-up,
 * from the innermost outwards), calls of one function under one caller becoming one node. Sums are
 * added at the leaf and carried to the root in one pass backwards, since a parent comes before its
 * children. One thread.
 */
#include "query_db.h"

#include <stdlib.h>
#include <string.h>

struct tree_builder {
    struct kp_tree *tree;
    uint32_t *slots; /* hash of what child_of() goes by, to node + 1; at most half full */
    size_t capacity;
    const char *no_stack;
    struct kp_frame frames[KP_FRAMES_MAX];
    bool bottom_up, all_frames;
};

static size_t hash_of(size_t parent, const struct kp_frame *frame)
{
    uint64_t h = parent * 0x9e3779b97f4a7c15ULL ^
                 (uintptr_t)frame->function * 0xbf58476d1ce4e5b9ULL ^
                 (uintptr_t)(frame->python ? frame->file : frame->module) * 0x94d049bb133111ebULL ^
                 (frame->python ? (uint64_t)frame->line * 0xd6e8feb86659fd93ULL : 0);
    return (size_t)(h ^ h >> 31);
}

/* A call of native code is a function, one of Python a line: that is how people think of them. */
static bool is_same_call(const struct kp_frame *a, const struct kp_frame *b)
{
    return a->function == b->function && a->module == b->module && a->python == b->python &&
           (!a->python || (a->file == b->file && a->line == b->line));
}

static uint32_t *find_slot(const struct tree_builder *b, size_t parent,
                           const struct kp_frame *frame)
{
    size_t at = hash_of(parent, frame) & (b->capacity - 1);
    for (; b->slots[at]; at = (at + 1) & (b->capacity - 1)) {
        const struct kp_tree_node *node = &b->tree->nodes[b->slots[at] - 1];
        if (node->parent == parent && is_same_call(&node->frame, frame))
            break;
    }
    return &b->slots[at];
}

static int make_room(struct tree_builder *b)
{
    if (b->tree->count * 2 < b->capacity)
        return 0;
    uint32_t *old = b->slots;
    b->capacity = b->capacity ? b->capacity * 2 : 4096;
    b->slots = b->tree->count < UINT32_MAX / 2 ? calloc(b->capacity, sizeof *b->slots) : NULL;
    free(old);
    if (!b->slots)
        return -1;
    for (size_t i = 1; i < b->tree->count; i++)
        *find_slot(b, b->tree->nodes[i].parent, &b->tree->nodes[i].frame) = (uint32_t)i + 1;
    return 0;
}

static int add_node(struct kp_tree *tree, size_t parent, const struct kp_frame *frame)
{
    struct kp_tree_node *grown = kp_grow(tree->nodes, tree->count, sizeof *grown);
    if (!grown)
        return -1;
    tree->nodes = grown;
    grown[tree->count] = (struct kp_tree_node){.frame = *frame, .parent = parent};
    if (tree->count > 0)
        grown[tree->count].depth = grown[parent].depth + 1;
    tree->count++;
    return 0;
}

/* The child of parent for this frame, made when it is not there; 0 without memory. */
static size_t child_of(struct tree_builder *b, size_t parent, const struct kp_frame *frame)
{
    if (make_room(b) != 0)
        return 0;
    uint32_t *slot = find_slot(b, parent, frame);
    if (!*slot) {
        if (add_node(b->tree, parent, frame) != 0)
            return 0;
        *slot = (uint32_t)b->tree->count;
    }
    return *slot - 1;
}

static int insert_site(struct kp_query *query, struct tree_builder *b, const struct kp_site *site)
{
    size_t count = kp_query_frames(query, site->stack_id, b->frames, KP_FRAMES_MAX), node = 0;
    if (!b->all_frames)
        count = kp_frames_without_interpreter(b->frames, count);
    if (count == 0)
        b->frames[count++] =
            (struct kp_frame){.function = b->no_stack, .file = "", .module = b->no_stack};
    for (size_t i = 0; i < count; i++) {
        node = child_of(b, node, &b->frames[b->bottom_up ? i : count - 1 - i]);
        if (node == 0)
            return -1;
    }
    struct kp_tree_node *leaf = &b->tree->nodes[node];
    kp_sum_add(&leaf->allocated, &site->allocated);
    kp_sum_add(&leaf->allocated_count, &site->allocated_count);
    kp_sum_add(&leaf->live, &site->live);
    return 0;
}

int kp_query_tree(struct kp_query *query, const struct kp_sites *sites, bool bottom_up,
                  bool all_frames, struct kp_tree *tree, struct kp_error *error)
{
    static const struct kp_frame root = {.function = "", .file = "", .module = ""};
    *tree = (struct kp_tree){0};
    if (kp_query_load_stacks(query, error) != 0)
        return -1;
    struct tree_builder *b = calloc(1, sizeof *b);
    if (!b)
        return kp_query_no_memory(error);
    b->tree = tree;
    b->no_stack = kp_names_add(&query->names, "");
    b->bottom_up = bottom_up;
    b->all_frames = all_frames;
    int result = add_node(tree, 0, &root);
    for (size_t i = 0; i < sites->count && result == 0; i++)
        result = insert_site(query, b, &sites->items[i]);
    free(b->slots);
    free(b);
    if (result != 0)
        return kp_query_no_memory(error);
    for (size_t i = tree->count - 1; i > 0; i--) {
        struct kp_tree_node *node = &tree->nodes[i], *parent = &tree->nodes[node->parent];
        kp_sum_add(&parent->allocated, &node->allocated);
        kp_sum_add(&parent->allocated_count, &node->allocated_count);
        kp_sum_add(&parent->live, &node->live);
    }
    return 0;
}

double kp_tree_weight(const struct kp_tree_node *node, enum kp_sort sort)
{
    switch (sort) {
    case KP_SORT_ALLOCATED: return node->allocated.value;
    case KP_SORT_COUNT: return node->allocated_count.value;
    default: return node->live.value;
    }
}

void kp_tree_release(struct kp_tree *tree)
{
    free(tree->nodes);
    *tree = (struct kp_tree){0};
}
