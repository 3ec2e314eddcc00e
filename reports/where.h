/* SPDX-License-Identifier: MIT */
/*
 * A stack in one line: the line of the program that tells most, and what it called to get the
 * memory. Pure functions, any thread.
 */
#ifndef KP_WHERE_H
#define KP_WHERE_H

#include "query.h"

struct kp_where {
    char text[512];    /* "engine.c:88 generate -> std::vector::reserve -> ... -> operator new" */
    char shorter[256]; /* without what lies behind the first call */
};
void kp_where_of(const struct kp_frame *frames, size_t count, struct kp_where *where);
/* With a few callers behind it, which tell stacks of one line apart: ", from handle, serve". */
void kp_where_with_callers(const struct kp_frame *frames, size_t count, struct kp_where *where);

/* One frame: "engine.c:88 generate", or "generate (libengine.so)" without a line. */
void kp_where_frame(const struct kp_frame *frame, char *out, size_t out_bytes);
/* What a frame is grouped by: KP_GROUP_LINE as above, else the function or the module. */
void kp_where_group(const struct kp_frame *frame, enum kp_group group, char *out, size_t out_bytes);

const char *kp_base_name(const char *path);

#endif
