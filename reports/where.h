/* SPDX-License-Identifier: MIT */
/*
 * A stack in one line: the line of the program that tells most, and what it called to get the
 * memory. A Python line comes first, then the extension that it called, if there is one. Pure
 * functions, any thread.
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
/* What a frame is grouped by: a line as above, else the function or the module. */
void kp_where_group(const struct kp_frame *frame, enum kp_group group, char *out, size_t out_bytes);
/* The name of a function as it is read, without parameters. */
void kp_where_function(const struct kp_frame *frame, char *out, size_t out_bytes);

const char *kp_base_name(const char *path);
/* A Python file in few characters: the base name, and where that is not enough its package:
 * "re/__init__.py", "pydantic/main.py", "numpy/.../multiarray.py". */
void kp_file_label(const char *path, char *out, size_t out_bytes);
/* The base name without what tells Python versions apart: "_json.so". */
void kp_module_label(const char *path, char *out, size_t out_bytes);

#endif
