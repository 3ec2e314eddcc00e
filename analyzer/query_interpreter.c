/* SPDX-License-Identifier: MIT */
/*
 * A Python call is half a dozen native calls in the interpreter. A reader wants the Python lines,
 * the extension that they called, and what that asked of the interpreter: the frames that run
 * Python code, or lead from one line to the next or into the extension, are marked, and a text
 * leaves them out. So are the lines of the import system, as in Python's own tracebacks, and native
 * parts of the standard library between two lines, which other builds have in the interpreter. In a
 * stack without Python nothing is marked. Pure functions, any thread.
 */
#include "query_interpreter.h"

#include <ctype.h>
#include <string.h>

bool kp_is_python_library(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strncmp(name, "libpython3", 10) == 0 && strstr(name, ".so");
}

bool kp_is_python_loop(const char *function)
{
    return strncmp(function, "_PyEval_EvalFrame", 17) == 0 ||
           strncmp(function, "_TAIL_CALL_", 11) == 0;
}

/* Py_InitializeFromConfig, Py_FinalizeEx, ...: seen from outside the first call of the API that is
 * no main. */
bool kp_is_python_entry(const struct kp_frame *frame)
{
    const char *name = frame->function + (*frame->function == '_');
    return frame->of_python && frame->exact && !frame->plumbing && strncmp(name, "Py", 2) == 0 &&
           !strstr(name, "Main");
}

/* What follows the digits at text. */
static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

/* "<string>" is code made as the program runs, mostly by the library: for named tuples, dataclasses,
 * .pth files, and the children of multiprocessing. */
bool kp_is_standard_library(const char *file)
{
    if (strncmp(file, "<frozen ", 8) == 0 || strcmp(file, "<string>") == 0)
        return true;
    for (const char *at = strstr(file, "/python3"); at; at = strstr(at + 1, "/python3")) {
        const char *rest = at + strlen("/python3");
        if (strncmp(skip_digits(rest), ".zip/", 5) == 0)
            return true;
        bool in_lib = (at - file >= 4 && strncmp(at - 4, "/lib", 4) == 0) ||
                      (at - file >= 6 && strncmp(at - 6, "/lib64", 6) == 0);
        if (!in_lib || *rest != '.')
            continue;
        rest = skip_digits(rest + 1);
        rest += *rest == 't'; /* free-threaded */
        return *rest == '/' && strncmp(rest, "/site-packages/", 15) != 0 &&
               strncmp(rest, "/dist-packages/", 15) != 0;
    }
    return false;
}

bool kp_is_import_system(const char *file)
{
    return strncmp(file, "<frozen importlib", 17) == 0;
}

static size_t innermost_python(const struct kp_frame *frames, size_t count)
{
    size_t i = 0;
    while (i < count && !frames[i].python)
        i++;
    return i;
}

static bool is_import(const struct kp_frame *frame)
{
    return frame->python && kp_is_import_system(frame->file);
}

/* Lines of the import system, unless there are no others. */
static void mark_imports(struct kp_frame *frames, size_t count)
{
    bool others = false;
    for (size_t i = 0; i < count; i++)
        others |= frames[i].python && !is_import(&frames[i]);
    for (size_t i = 0; i < count; i++)
        if (others && is_import(&frames[i]))
            frames[i].interpreter = true;
}

void kp_frames_mark_interpreter(struct kp_frame *frames, size_t count)
{
    size_t python = innermost_python(frames, count);
    if (python == count)
        return;
    for (size_t i = python; i < count; i++)
        frames[i].interpreter = frames[i].of_python || (frames[i].is_stdlib && !frames[i].python);
    mark_imports(frames, count);
    for (size_t i = count; i-- > 0 && (frames[i].plumbing || frames[i].of_python);)
        frames[i].interpreter = true; /* the start of the process or of the thread */
    for (size_t i = python; i-- > 0;) {
        const struct kp_frame *caller = &frames[i + 1];
        bool within = caller->python || caller->interpreter;
        frames[i].interpreter =
            frames[i].of_python ? within || caller->of_python : frames[i].plumbing && within;
    }
}

size_t kp_frames_without_interpreter(struct kp_frame *frames, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!frames[i].interpreter)
            frames[left++] = frames[i];
    return left;
}
