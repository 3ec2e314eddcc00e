/* SPDX-License-Identifier: MIT */
/*
 * Which frames say something about the program. The innermost frames of a stack are mostly the C
 * library, containers and malloc wrappers; the user looks for the first line of his own. Names are
 * compared as prefixes, or as endings for the many xmalloc, png_malloc and sqlite3MemMalloc. Pure
 * functions, any thread.
 */
#include "query.h"
#include "query_interpreter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const plumbing_modules[] = {
    "libc.so",    "libc-2",   "ld-linux",    "ld-musl",     "libstdc++",   "libc++", "libgcc_s",
    "libpthread", "libkprof", "libjemalloc", "libmimalloc", "libtcmalloc", NULL,
};
static const char *const plumbing_prefixes[] = {
    "operator new",     "operator delete", "std::",
    "__gnu_cxx::",      "__cxxabi",        "__cxa_",
    "__libc_",          "__GI_",           "alloc::",
    "core::",           "hashbrown::",     "<alloc::",
    "<core::",          "<std::",          "<hashbrown::",
    "__rust_",          "__rdl_",          "__rg_",
    "g_malloc",         "g_realloc",       "g_slice_",
    "g_strdup",         "g_strndup",       "PyMem_",
    "PyObject_Malloc",  "PyObject_Calloc", "PyObject_Realloc",
    "_PyObject_Malloc", "_PyMem_",         "alloc: ",
    "core: ",           "std: ",           "hashbrown-",
    NULL,
};
static const char *const plumbing_endings[] = {
    "malloc",   "calloc",   "realloc",      "zalloc",    "strdup",     "strndup",
    "memdup",   "memalign", "reallocarray", "mallocraw", "malloczero", "aligned_alloc",
    "asprintf", "mmap",     "mmap64",       "mremap",    "brk",        NULL,
};

/* As rustup's and Debian's toolchains name their own sources, with and without their text at hand. */
static const char *const rust_folders[] = {
    "/rustc/", "/rustc-", "/rustlib/src/rust/library/", "/rust/deps/", NULL,
};
static const char *const rust_beginnings[] = {
    "library/alloc/src/", "library/core/src/", "library/std/src/", NULL,
};

static bool begins_with_any(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strncmp(text, *list, strlen(*list)) == 0)
            return true;
    return false;
}

static bool ends_with_any(const char *text, const char *const *list)
{
    size_t length = strlen(text);
    for (; *list; list++) {
        size_t ending = strlen(*list);
        if (length >= ending && strcasecmp(text + length - ending, *list) == 0)
            return true;
    }
    return false;
}

bool kp_frame_is_plumbing(const char *function, const char *module)
{
    const char *slash = strrchr(module, '/');
    if (begins_with_any(slash ? slash + 1 : module, plumbing_modules))
        return true;
    char name[256];
    kp_function_short(function, name, sizeof name);
    return begins_with_any(name, plumbing_prefixes) || ends_with_any(name, plumbing_endings);
}

bool kp_is_rust_library(const char *file)
{
    for (const char *const *folder = rust_folders; *folder; folder++)
        if (strstr(file, *folder))
            return true;
    return begins_with_any(file, rust_beginnings);
}

/* A name to be found by: a symbol of its own, or a line. */
static bool is_named(const struct kp_frame *frame)
{
    return frame->exact || *frame->file;
}

/* kp_telling.native of the frames inside the first Python one. */
static size_t telling_native(const struct kp_frame *frames, size_t count)
{
    size_t own = 0;
    while (own < count && (frames[own].plumbing || frames[own].of_python))
        own++;
    if (own == count)
        return KP_NO_FRAME;
    for (size_t i = own; i < count; i++)
        if (is_named(&frames[i]) && !frames[i].plumbing && frames[i].module == frames[own].module)
            return i;
    return own;
}

/* In a stack without Python whose frames are all plumbing or the interpreter. */
static size_t anything(const struct kp_frame *frames, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (kp_is_python_entry(&frames[i]))
            return i;
    for (size_t i = 0; i < count; i++)
        if (!frames[i].plumbing)
            return i;
    return count > 0 ? 0 : KP_NO_FRAME;
}

struct kp_telling kp_frames_telling(const struct kp_frame *frames, size_t count)
{
    struct kp_telling telling = {KP_NO_FRAME, KP_NO_FRAME, KP_NO_FRAME};
    size_t stdlib_line = KP_NO_FRAME;
    for (size_t i = 0; i < count && telling.line == KP_NO_FRAME; i++) {
        if (!frames[i].python)
            continue;
        if (telling.python == KP_NO_FRAME)
            telling.python = i;
        if (stdlib_line == KP_NO_FRAME && !kp_is_import_system(frames[i].file))
            stdlib_line = i;
        if (!frames[i].is_stdlib)
            telling.line = i;
    }
    if (telling.line == KP_NO_FRAME)
        telling.line = stdlib_line;
    telling.native =
        telling_native(frames, telling.python == KP_NO_FRAME ? count : telling.python);
    if (telling.python == KP_NO_FRAME && telling.native == KP_NO_FRAME)
        telling.native = anything(frames, count);
    if (telling.line == KP_NO_FRAME)
        telling.line = telling.python == KP_NO_FRAME ? telling.native : telling.python;
    return telling;
}

/* Length of a group such as <...> or (...) that begins at text, brackets within it balanced. */
static size_t group_length(const char *text, char open, char close)
{
    int depth = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == open)
            depth++;
        else if (text[i] == close && !(i > 0 && text[i - 1] == '-') && --depth == 0)
            return i + 1;
    }
    return strlen(text);
}

/* "operator<<", "operator()", "operator->": the symbol belongs to the name. */
static size_t operator_length(const char *text)
{
    if (strncmp(text, "operator", 8) != 0 || isalnum((unsigned char)text[8]) || text[8] == '_')
        return 0;
    if (text[8] == ' ') /* operator new, operator delete[], a conversion */
        return 8 + 1 + strcspn(text + 9, "(<");
    if (strncmp(text + 8, "()", 2) == 0)
        return 10;
    return 8 + strspn(text + 8, "<>=!+-*/%&|^~,[]");
}

/* How many characters at p belong to the name as they are; 0: decide by the character. */
static size_t kept_length(const char *function, const char *p)
{
    if (p == function || (!isalnum((unsigned char)p[-1]) && p[-1] != '_')) {
        size_t operator= operator_length(p);
        if (operator)
            return operator;
    }
    if (*p == '{')
        return group_length(p, '{', '}');
    return strncmp(p, "(anonymous", 10) == 0 ? group_length(p, '(', ')') : 0;
}

/* Rust: <T as Trait>::method is T::method, <T>::method too. What is left out at p: the "<", or " as
 * Trait>" or ">" at the other end; 0 when nothing is. */
static size_t rust_brackets(const char *function, const char *p, size_t group)
{
    if (group == 0)
        return 0;
    if (p == function || p + 1 == function + group)
        return 1;
    return strncmp(p, " as ", 4) == 0 ? (size_t)(function + group - p) : 0;
}

size_t kp_label_length(const char *function)
{
    static const char *const marks[] = {" (nearby)", " (method)",     " (slot)",
                                        " (called ", " (in a table ", " (calls "};
    for (int i = 0; i < 6; i++) {
        const char *at = strstr(function, marks[i]);
        if (at && at > function && function[strlen(function) - 1] == ')')
            return (size_t)(at - function);
    }
    return 0;
}

void kp_function_short(const char *function, char *out, size_t out_bytes)
{
    size_t label = kp_label_length(function);
    if (label > 0) { /* "(method)" and "(slot)" add nothing to what comes before them */
        bool name = strcmp(function + label, " (method)") == 0 ||
                    strcmp(function + label, " (slot)") == 0;
        snprintf(out, out_bytes, "%.*s", name ? (int)label : (int)out_bytes, function);
        return;
    }
    size_t impl = *function == '<' ? group_length(function, '<', '>') : 0, used = 0;
    if (impl > 0 && strncmp(function + impl, "::", 2) != 0)
        impl = 0;
    for (const char *p = function; *p && used + 1 < out_bytes;) {
        size_t left_out = p < function + impl ? rust_brackets(function, p, impl) : 0;
        size_t kept = left_out ? 0 : kept_length(function, p);
        if (left_out) {
            p += left_out;
            continue;
        }
        if (kept == 0 && *p == '<' && used > 0) {
            p += group_length(p, '<', '>');
            continue;
        }
        if (kept == 0 && ((*p == '(' && used > 0) || strncmp(p, " [clone", 7) == 0))
            break; /* the parameters */
        if (kept == 0 && *p == ' ' && *function != '<' && strchr(p, '(')) {
            used = 0; /* what came before was the return type */
            p++;
            continue;
        }
        for (kept = kept ? kept : 1; kept > 0 && used + 1 < out_bytes; kept--)
            out[used++] = *p++;
    }
    out[used] = '\0';
}
