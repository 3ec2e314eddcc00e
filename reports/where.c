/* SPDX-License-Identifier: MIT */
/*
 * A user finds his own code by file and line, and foreign code by function and library. What lies
 * between the call into foreign code and the allocator is rarely of use: three dots. Any thread.
 */
#include "where.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 200
#define CALLERS_SHOWN 4

const char *kp_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The function as it is read; the module's name is part of it when it has no symbol. */
static void name_of(const struct kp_frame *frame, char name[NAME_BYTES], bool *has_module)
{
    const char *module = kp_base_name(frame->module);
    kp_function_short(frame->function, name, NAME_BYTES);
    if (!*name)
        snprintf(name, NAME_BYTES, "%s", *module ? module : "(unknown)");
    *has_module = !*module || strncmp(name, module, strlen(module)) == 0;
}

void kp_where_frame(const struct kp_frame *frame, char *out, size_t out_bytes)
{
    char name[NAME_BYTES];
    bool has_module;
    name_of(frame, name, &has_module);
    if (*frame->file && frame->line > 0)
        snprintf(out, out_bytes, "%s:%lld %s", kp_base_name(frame->file), (long long)frame->line,
                 name);
    else if (has_module)
        snprintf(out, out_bytes, "%s", name);
    else
        snprintf(out, out_bytes, "%s (%s)", name, kp_base_name(frame->module));
}

void kp_where_group(const struct kp_frame *frame, enum kp_group group, char *out, size_t out_bytes)
{
    if (!*frame->function && !*frame->module) {
        snprintf(out, out_bytes, "(no stack)");
    } else if (group == KP_GROUP_MODULE) {
        snprintf(out, out_bytes, "%s", *frame->module ? frame->module : "(no module)");
    } else if (group == KP_GROUP_FUNCTION) {
        struct kp_frame without_line = *frame;
        without_line.line = 0;
        kp_where_frame(&without_line, out, out_bytes);
    } else {
        kp_where_frame(frame, out, out_bytes);
    }
}

__attribute__((format(printf, 3, 4))) static void append(char *out, size_t out_bytes,
                                                         const char *format, ...)
{
    size_t used = strlen(out);
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    vsnprintf(out + used, out_bytes - used, format, arguments);
    __builtin_va_end(arguments);
}

static void append_call(char *out, size_t out_bytes, const struct kp_frame *callee)
{
    char name[NAME_BYTES];
    bool has_module;
    name_of(callee, name, &has_module);
    append(out, out_bytes, " -> %s", name);
}

void kp_where_of(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    if (count == 0) {
        strcpy(where->text, "(no stack)");
        strcpy(where->shorter, "(no stack)");
        return;
    }
    size_t telling = kp_frames_telling(frames, count);
    kp_where_frame(&frames[telling], where->text, sizeof where->text);
    if (telling > 0)
        append_call(where->text, sizeof where->text, &frames[telling - 1]);
    snprintf(where->shorter, sizeof where->shorter, "%.255s", where->text);
    if (telling > 2)
        append(where->text, sizeof where->text, " -> ...");
    if (telling > 1)
        append_call(where->text, sizeof where->text, &frames[0]);
}

void kp_where_with_callers(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    kp_where_of(frames, count, where);
    const char *before = ", from ";
    for (size_t i = kp_frames_telling(frames, count) + 1, shown = 0; i < count; i++) {
        char name[NAME_BYTES];
        bool has_module;
        if (frames[i].plumbing)
            continue;
        if (shown++ == CALLERS_SHOWN)
            break;
        name_of(&frames[i], name, &has_module);
        append(where->text, sizeof where->text, "%s%s", before, name);
        append(where->shorter, sizeof where->shorter, "%s%s", before, name);
        before = ", ";
    }
}
