/* SPDX-License-Identifier: MIT */
/*
 * Called by one thread at a time, any thread. Blocks are counted by sys.getallocatedblocks(), the
 * only way that every version exports, their bytes by the pools that we know; both walk the pools,
 * so they need the GIL, and their cost is in the budget of totals.c.
 */
#include "totals_python.h"

#include "python.h"
#include "python_domains.h"
#include "snapshot_pymalloc.h"

#include <stdbool.h>
#include <stddef.h>

static struct {
    bool is_known;
    void *(*holder)(void); /* up to 3.11: the state of whoever holds the GIL */
    void *(*sys_object)(const char *);
    void *(*error)(void);
    void (*clear)(void);
    void *(*(*function_of)(void *))(void *, void *);
    void *(*self_of)(void *);
    long (*as_long)(void *);
    void (*drop)(void *);
} api;

static void find_functions(void)
{
    api.is_known = true;
    if (kp_python.minor < 12)
        api.holder = (void *(*)(void))kp_python_symbol("_PyThreadState_UncheckedGet");
    api.error = (void *(*)(void))kp_python_symbol("PyErr_Occurred");
    api.clear = (void (*)(void))kp_python_symbol("PyErr_Clear");
    *(void **)&api.function_of = kp_python_symbol("PyCFunction_GetFunction");
    api.self_of = (void *(*)(void *))kp_python_symbol("PyCFunction_GetSelf");
    api.as_long = (long (*)(void *))kp_python_symbol("PyLong_AsLong");
    api.drop = (void (*)(void *))kp_python_symbol("Py_DecRef");
    api.sys_object = (void *(*)(const char *))kp_python_symbol("PySys_GetObject");
    if (!api.error || !api.clear || !api.function_of || !api.self_of || !api.as_long || !api.drop ||
        kp_python.is_free_threaded)
        api.sys_object = NULL;
}

/* PyGILState_Check() says yes to everybody once there are sub-interpreters. */
static bool caller_holds_gil(void)
{
    if (!kp_python.is_initialised || !kp_python.is_initialised())
        return false;
    if (kp_python.attached_state)
        return kp_python.attached_state() != NULL;
    void *own = kp_python.own_state ? kp_python.own_state() : NULL;
    return own && api.holder && api.holder() == own;
}

/* Called as the C function that it is: a call by Python's ways may find that it recurses too
 * deeply. */
static uint64_t count_blocks(void)
{
    void *object = api.sys_object("getallocatedblocks");
    void *(*function)(void *, void *) = object ? api.function_of(object) : NULL;
    void *number = function ? function(api.self_of(object), NULL) : NULL;
    uint64_t blocks = KP_TOTAL_UNKNOWN;

    if (number) {
        blocks = (uint64_t)api.as_long(number);
        api.drop(number);
    } else {
        api.clear();
    }
    return blocks;
}

void kp_totals_of_python(struct kp_rec_totals *record)
{
    record->object_held = record->object_used = record->object_blocks = KP_TOTAL_UNKNOWN;
    if (!kp_python.is_found)
        return;
    if (!api.is_known)
        find_functions();
    if (api.sys_object && caller_holds_gil() && !api.error())
        record->object_blocks = count_blocks();
    /* Blocks without arenas: it is mimalloc that serves them, without telling of its arenas. */
    if (kp_python.is_free_threaded || !(kp_python_arena_bytes() || record->object_blocks == 0))
        return;
    record->object_held = kp_python_arena_bytes();
    if (record->object_blocks != KP_TOTAL_UNKNOWN)
        record->object_used = kp_pymalloc_used_bytes();
}
