/* SPDX-License-Identifier: MIT */
/*
 * A place is the line of the program and the native code that it called: both stand in the row that
 * a reader sees, and a leak of one line comes out of many stacks. Texts are compared by their
 * address: each is there once. One thread.
 */
#include "query_leaks_key.h"
#include "query_db.h"
#include "query_stacks.h"

struct telling {
    const struct kp_frame *line, *native;
};

static const struct kp_frame *frame_at(const struct kp_stacks *s, uint32_t index)
{
    return index == KP_NO_INDEX ? NULL : &s->frames[index];
}

static struct telling tell(const struct kp_stacks *stacks, int64_t stack_id)
{
    uint32_t node = kp_stacks_find(stacks, stack_id);
    if (node == KP_NO_INDEX)
        return (struct telling){NULL, NULL};
    struct kp_stack_telling telling = kp_stacks_telling(stacks, node);
    return (struct telling){frame_at(stacks, telling.line), frame_at(stacks, telling.native)};
}

static uintptr_t file_of(const struct kp_frame *frame)
{
    return (uintptr_t)(frame->python ? frame->file : frame->module);
}

static void add_frame(struct kp_place_key *key, size_t at, const struct kp_frame *frame, bool line)
{
    if (!frame)
        return;
    key->part[at] = file_of(frame);
    key->part[at + 1] = (uintptr_t)frame->function;
    key->part[at + 2] = line ? (uintptr_t)frame->line + 1 : 0;
}

struct kp_place_key kp_place_key_of(struct kp_query *query, enum kp_leak_group group,
                                    int64_t stack_id, enum kp_leak_side side,
                                    const struct kp_frame **frame)
{
    struct kp_place_key key = {0};
    struct telling telling = tell(query->stacks, stack_id);
    bool by_stack = group == KP_LEAK_BY_PLACE || group == KP_LEAK_BY_SIDE;
    *frame = by_stack ? NULL : telling.line;
    if (group == KP_LEAK_BY_MODULE && telling.native)
        *frame = telling.native;
    if (by_stack)
        key.part[6] = (uintptr_t)side + 1;
    if (group == KP_LEAK_BY_PLACE) {
        add_frame(&key, 0, telling.line, true);
        add_frame(&key, 3, telling.native, true);
    } else if (group == KP_LEAK_BY_MODULE) {
        key.part[0] = *frame ? file_of(*frame) : 0;
    } else if (group != KP_LEAK_BY_SIDE) {
        add_frame(&key, 0, telling.line, group == KP_LEAK_BY_LINE);
    }
    return key;
}

const char *kp_place_module(struct kp_query *query, int64_t stack_id)
{
    struct telling telling = tell(query->stacks, stack_id);
    return telling.native ? telling.native->module : "";
}
