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

const char *kp_file_label(const char *path)
{
    const char *name = kp_base_name(path);
    if (strncmp(name, "__init__.", 9) != 0 && strncmp(name, "__main__.", 9) != 0)
        return name;
    for (name -= name > path; name > path && name[-1] != '/';)
        name--;
    return name;
}

void kp_module_label(const char *path, char *out, size_t out_bytes)
{
    const char *name = kp_base_name(path), *tag = strstr(name, ".cpython-");
    const char *end = tag ? strstr(tag, ".so") : NULL;
    if (end)
        snprintf(out, out_bytes, "%.*s%s", (int)(tag - name), name, end);
    else
        snprintf(out, out_bytes, "%s", name);
}

void kp_where_function(const struct kp_frame *frame, char *out, size_t out_bytes)
{
    if (frame->python || frame->nameless)
        snprintf(out, out_bytes, "%s", frame->function);
    else
        kp_function_short(frame->function, out, out_bytes);
    if (!*out)
        snprintf(out, out_bytes, "%s", *frame->module ? kp_base_name(frame->module) : "(unknown)");
}

void kp_where_frame(const struct kp_frame *frame, char *out, size_t out_bytes)
{
    char name[NAME_BYTES], module[NAME_BYTES];
    kp_where_function(frame, name, sizeof name);
    if (frame->python)
        snprintf(module, sizeof module, "%s", kp_file_label(frame->file));
    else
        kp_module_label(frame->module, module, sizeof module);
    const char *base = kp_base_name(frame->module);
    if (*frame->file && frame->line > 0)
        snprintf(out, out_bytes, "%s:%lld %s", kp_file_label(frame->file), (long long)frame->line,
                 name);
    else if (!*module || (*base && strncmp(name, base, strlen(base)) == 0))
        snprintf(out, out_bytes, "%s", name);
    else
        snprintf(out, out_bytes, "%s (%s)", name, module);
}

void kp_where_group(const struct kp_frame *frame, enum kp_group group, char *out, size_t out_bytes)
{
    if (!*frame->function && !*frame->module) {
        snprintf(out, out_bytes, "%s",
                 group == KP_GROUP_PYTHON_LINE   ? "(no Python)"
                 : group == KP_GROUP_NATIVE_LINE ? "(no native code but the interpreter's)"
                                                 : "(no stack)");
    } else if (group == KP_GROUP_MODULE) {
        const char *module = frame->python ? frame->file : frame->module;
        snprintf(out, out_bytes, "%s", *module ? module : "(no module)");
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
    kp_where_function(callee, name, sizeof name);
    append(out, out_bytes, " -> %s", name);
}

static void append_frame(char *out, size_t out_bytes, const struct kp_frame *callee)
{
    char frame[2 * NAME_BYTES];
    kp_where_frame(callee, frame, sizeof frame);
    append(out, out_bytes, " -> %s", frame);
}

/* Behind the line of native code: what it called, and the innermost call. */
static void append_native(struct kp_where *where, const struct kp_frame *frames, size_t line)
{
    if (line > 0)
        append_call(where->text, sizeof where->text, &frames[line - 1]);
    snprintf(where->shorter, sizeof where->shorter, "%.255s", where->text);
    if (line > 2)
        append(where->text, sizeof where->text, " -> ...");
    if (line > 1)
        append_call(where->text, sizeof where->text, &frames[0]);
}

/* Behind the line of Python: the innermost one, which is the library's, the extension that it
 * called, and what that called. */
static void append_python(struct kp_where *where, const struct kp_frame *frames,
                          const struct kp_telling *telling)
{
    snprintf(where->shorter, sizeof where->shorter, "%.255s", where->text);
    if (telling->python < telling->line && !frames[telling->python].interpreter)
        append_frame(where->text, sizeof where->text, &frames[telling->python]);
    if (telling->native == KP_NO_FRAME) {
        snprintf(where->shorter, sizeof where->shorter, "%.255s", where->text);
        return;
    }
    append_frame(where->shorter, sizeof where->shorter, &frames[telling->native]);
    append_frame(where->text, sizeof where->text, &frames[telling->native]);
    for (size_t i = telling->native; i-- > 0;) {
        if (frames[i].interpreter)
            continue;
        append_call(where->text, sizeof where->text, &frames[i]);
        break;
    }
}

void kp_where_of(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    struct kp_telling telling = kp_frames_telling(frames, count);
    if (telling.line == KP_NO_FRAME) {
        strcpy(where->text, "(no stack)");
        strcpy(where->shorter, "(no stack)");
        return;
    }
    kp_where_frame(&frames[telling.line], where->text, sizeof where->text);
    if (frames[telling.line].python)
        append_python(where, frames, &telling);
    else if (frames[telling.line].of_python) /* what it does inside is its own business */
        snprintf(where->shorter, sizeof where->shorter, "%.255s", where->text);
    else
        append_native(where, frames, telling.line);
}

/* Callers from the standard library say little: threads, decorators, the import system. */
static bool is_caller_of_note(const struct kp_frame *frame)
{
    return !frame->plumbing && !frame->interpreter && !frame->library;
}

void kp_where_with_callers(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    kp_where_of(frames, count, where);
    const char *before = ", from ";
    char name[NAME_BYTES] = "", last[NAME_BYTES] = "";
    size_t line = kp_frames_telling(frames, count).line;
    for (size_t i = line == KP_NO_FRAME ? count : line + 1, shown = 0; i < count; i++) {
        if (!is_caller_of_note(&frames[i]))
            continue;
        if (frames[i].python && strcmp(frames[i].function, "<module>") == 0)
            snprintf(name, sizeof name, "%s", kp_file_label(frames[i].file));
        else
            kp_where_function(&frames[i], name, sizeof name);
        if (strcmp(name, last) == 0)
            continue; /* recursion */
        strcpy(last, name);
        if (shown++ == CALLERS_SHOWN)
            break;
        append(where->text, sizeof where->text, "%s%s", before, name);
        append(where->shorter, sizeof where->shorter, "%s%s", before, name);
        before = ", ";
    }
}
