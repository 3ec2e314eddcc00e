/* SPDX-License-Identifier: MIT */
/*
 * Finds CPython by its symbols in the loader's list. Runs in the constructor, one thread; again
 * when an object named libpython is met later.
 *
 * From 3.12 on the current thread state is a thread-local variable that can be asked for directly.
 * Before, that question is answered for whoever holds the GIL, so only the thread-specific one is
 * asked.
 */
#include "python.h"

#include "scope.h"

#include <stdlib.h>
#include <string.h>

#define MINOR_FIRST 9
#define MINOR_LAST 14

struct kp_python kp_python __attribute__((visibility("hidden")));

void *kp_python_symbol(const char *name)
{
    return kp_python.object ? kp_scope_find(kp_python.object, name) : NULL;
}

/* "3.11.2 (main, ...)" -> "3.11.2" */
static bool read_version(void)
{
    const char *(*version)(void) = (const char *(*)(void))kp_python_symbol("Py_GetVersion");
    const char *text = version ? version() : "";
    size_t length = strcspn(text, " ");

    if (strncmp(text, "3.", 2) != 0 || length >= sizeof kp_python.version)
        return false;
    memcpy(kp_python.version, text, length);
    kp_python.version[length] = 0;
    kp_python.minor = atoi(text + 2);
    kp_python.is_free_threaded = strstr(text, "free-threading") != NULL;
    return true;
}

static void find_state(void)
{
    if (kp_python.minor >= 13)
        kp_python.attached_state = (void *(*)(void))kp_python_symbol("PyThreadState_GetUnchecked");
    else if (kp_python.minor == 12)
        kp_python.attached_state = (void *(*)(void))kp_python_symbol("_PyThreadState_UncheckedGet");
    kp_python.own_state = (void *(*)(void))kp_python_symbol("PyGILState_GetThisThreadState");
    kp_python.is_initialised = (int (*)(void))kp_python_symbol("Py_IsInitialized");
}

static void find_parts(void)
{
    kp_python.code_type = (uintptr_t)kp_python_symbol("PyCode_Type");
    kp_python.text_type = (uintptr_t)kp_python_symbol("PyUnicode_Type");
    kp_python.bytes_type = (uintptr_t)kp_python_symbol("PyBytes_Type");
    kp_python.bytearray_type = (uintptr_t)kp_python_symbol("PyByteArray_Type");
    kp_python.loop_start = (uintptr_t)kp_python_symbol("_PyEval_EvalFrameDefault");
    kp_python.loop_end =
        kp_python.loop_start + kp_scope_size(kp_python.object, "_PyEval_EvalFrameDefault");
    find_state();
    if (!kp_python.code_type || !kp_python.text_type || !kp_python.bytes_type ||
        !kp_python.own_state || kp_python.minor < MINOR_FIRST || kp_python.minor > MINOR_LAST)
        kp_python.frames = KP_FRAMES_OFF;
}

bool kp_python_find(void)
{
    if (kp_python.is_found)
        return true;
    if (!kp_scope_find_from(kp_scope_program(), "PyBytes_FromStringAndSize", &kp_python.object))
        return false;
    kp_scope_range(kp_python.object, &kp_python.start, &kp_python.end);
    if (!read_version()) {
        kp_python.object = NULL;
        return false;
    }
    find_parts();
    kp_python.is_found = true;
    return true;
}
