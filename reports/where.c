/* SPDX-License-Identifier: MIT */
/*
 * A user finds his own code by file and line, and foreign code by function and library. What lies
 * between the call into foreign code and the allocator is rarely of use: three dots. Any thread.
 */
#include "where.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 200
#define CALLERS_SHOWN 4

const char *kp_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* What follows the directory of installed packages, or of the standard library; NULL elsewhere. */
static const char *in_library(const char *path)
{
    static const char *const places[] = {"/site-packages/", "/dist-packages/", "/lib/python3.",
                                         "/lib64/python3."};
    for (int i = 0; i < 4; i++) {
        const char *at = strstr(path, places[i]);
        if (at)
            return at + strlen(places[i]) + (i < 2 ? 0 : strcspn(at + strlen(places[i]), "/") + 1);
    }
    return NULL;
}

void kp_file_label(const char *path, char *out, size_t out_bytes)
{
    const char *name = kp_base_name(path), *library = in_library(path);
    if (library && library < name) {
        const char *slash = strchr(library, '/');
        bool direct = slash + 1 == name;
        snprintf(out, out_bytes, "%.*s/%s%s", (int)(slash - library), library, direct ? "" : ".../",
                 name);
        return;
    }
    if (strncmp(name, "__init__.", 9) == 0 || strncmp(name, "__main__.", 9) == 0)
        for (name -= name > path; name > path && name[-1] != '/';)
            name--;
    snprintf(out, out_bytes, "%s", name);
}

static void copy_without_tag(const char *name, char *out, size_t out_bytes)
{
    const char *tag = strstr(name, ".cpython-"), *end = tag ? strstr(tag, ".so") : NULL;
    if (end)
        snprintf(out, out_bytes, "%.*s%s", (int)(tag - name), name, end);
    else
        snprintf(out, out_bytes, "%s", name);
}

void kp_module_label(const char *path, char *out, size_t out_bytes)
{
    copy_without_tag(kp_base_name(path), out, out_bytes);
}

void kp_where_function(const struct kp_frame *frame, char *out, size_t out_bytes)
{
    if (frame->python)
        snprintf(out, out_bytes, "%s", frame->function);
    else if (frame->nameless)
        copy_without_tag(frame->function, out, out_bytes);
    else
        kp_function_short(frame->function, out, out_bytes);
    if (!*out)
        snprintf(out, out_bytes, "%s", *frame->module ? kp_base_name(frame->module) : "(unknown)");
}

void kp_where_frame(const struct kp_frame *frame, char *out, size_t out_bytes)
{
    char name[NAME_BYTES], module[NAME_BYTES], file[NAME_BYTES];
    kp_where_function(frame, name, sizeof name);
    kp_file_label(frame->file, file, sizeof file);
    kp_module_label(frame->module, module, sizeof module);
    if (frame->python)
        strcpy(module, file);
    const char *base = kp_base_name(frame->module);
    if (!frame->exact && !frame->python && kp_label_length(frame->function) > 0)
        snprintf(out, out_bytes, "%s", name); /* has file and line in it */
    else if (*frame->file && frame->line > 0)
        snprintf(out, out_bytes, "%s:%lld %s", file, (long long)frame->line, name);
    else if (!*module || frame->nameless || (*base && strncmp(name, base, strlen(base)) == 0))
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

/* No name of its own, and no line: nothing that a reader could look for. */
static bool is_vague(const struct kp_frame *frame)
{
    return frame->nameless || (!frame->python && !frame->exact && !*frame->file &&
                               kp_label_length(frame->function) > 0);
}

/* Of a frame without a name the module is all that a line needs. */
static void append_frame(char *out, size_t out_bytes, const struct kp_frame *callee)
{
    char frame[3 * NAME_BYTES];
    if (is_vague(callee) && *callee->module)
        kp_module_label(callee->module, frame, sizeof frame);
    else
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
        if (frames[i].interpreter || is_vague(&frames[i]))
            continue;
        append_call(where->text, sizeof where->text, &frames[i]);
        break;
    }
}

/* The line, and what it called; the index of its frame. */
static size_t tell_line(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    struct kp_telling telling = kp_frames_telling(frames, count);
    if (telling.line == KP_NO_FRAME) {
        strcpy(where->text, "(no stack)");
        strcpy(where->shorter, "(no stack)");
        return KP_NO_FRAME;
    }
    kp_where_frame(&frames[telling.line], where->text, sizeof where->text);
    if (frames[telling.line].python)
        append_python(where, frames, &telling);
    else if (frames[telling.line].of_python) /* what it does inside is its own business */
        snprintf(where->shorter, sizeof where->shorter, "%.255s", where->text);
    else
        append_native(where, frames, telling.line);
    return telling.line;
}

/* A line of an installed package, which the user has not written. */
static bool is_installed(const struct kp_frame *frame)
{
    return frame->python && !frame->is_stdlib && in_library(frame->file);
}

/* Callers from the standard library say little: threads, decorators, the import system. So do
 * bare addresses. */
static bool is_caller_of_note(const struct kp_frame *frame)
{
    return !frame->plumbing && !frame->interpreter && !frame->is_stdlib && !is_vague(frame);
}

static void name_caller(const struct kp_frame *frame, bool with_line, char name[NAME_BYTES])
{
    if (with_line)
        kp_where_frame(frame, name, NAME_BYTES);
    else if (frame->python && strcmp(frame->function, "<module>") == 0)
        kp_file_label(frame->file, name, NAME_BYTES);
    else
        kp_where_function(frame, name, NAME_BYTES);
}

/* ", from handle, serve"; behind a line of a package, first the line that called the package. */
static void append_callers(struct kp_where *where, const struct kp_frame *frames, size_t count,
                           size_t line, size_t callers_max)
{
    char name[NAME_BYTES] = "", last[NAME_BYTES] = "";
    bool in_package = is_installed(&frames[line]);
    for (size_t i = line + 1, shown = 0; i < count && shown < callers_max; i++) {
        bool own = frames[i].python && !is_installed(&frames[i]);
        if (!is_caller_of_note(&frames[i]) || (in_package && !own))
            continue;
        name_caller(&frames[i], in_package, name);
        in_package = false;
        if (strcmp(name, last) == 0)
            continue; /* recursion */
        strcpy(last, name);
        append(where->text, sizeof where->text, "%s%s", shown > 0 ? ", " : ", from ", name);
        append(where->shorter, sizeof where->shorter, "%s%s", shown > 0 ? ", " : ", from ", name);
        shown++;
    }
}

void kp_where_of(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    size_t line = tell_line(frames, count, where);
    if (line == KP_NO_FRAME || !is_installed(&frames[line]))
        return;
    kp_where_frame(&frames[line], where->shorter, sizeof where->shorter);
    append_callers(where, frames, count, line, 1);
}

void kp_where_with_callers(const struct kp_frame *frames, size_t count, struct kp_where *where)
{
    size_t line = tell_line(frames, count, where);
    if (line == KP_NO_FRAME)
        return;
    if (is_installed(&frames[line]))
        kp_where_frame(&frames[line], where->shorter, sizeof where->shorter);
    append_callers(where, frames, count, line, CALLERS_SHOWN);
}
