/* SPDX-License-Identifier: MIT */
/*
 * A function may run before anybody can look it up: the program itself is a module that never ends,
 * and modules call their own functions while they are imported. So code is recognised by the
 * module that its globals belong to and by its qualified name, when it runs for the first time.
 * Where the name leads to code of another name (a decorator that doesn't tell, an alias), the
 * look-up after the import decides, unless the function has been seen before.
 *
 * Every code object in the table is kept alive, so that its address is not used again.
 */
#include "iteration_match.h"

#include "iteration.h"
#include "iteration_api.h"
#include "iteration_find.h"
#include "iteration_native.h"

#include <stddef.h>

#define KNOWN_MAX 64u

static struct {
    const void *code;
    enum kp_match match;
} known[KNOWN_MAX];
static _Atomic unsigned known_count;

enum kp_match kp_match_known(const void *code)
{
    unsigned count = atomic_load_explicit(&known_count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++)
        if (known[i].code == code)
            return known[i].match;
    return KP_MATCH_UNKNOWN;
}

static void remember(void *code, enum kp_match match)
{
    unsigned count = known_count;

    for (unsigned i = 0; i < count; i++)
        if (known[i].code == code) {
            known[i].match = match;
            return;
        }
    if (count == KNOWN_MAX)
        return;
    kp_api.Py_IncRef(code);
    known[count].code = code;
    known[count].match = match;
    atomic_store_explicit(&known_count, count + 1, memory_order_release);
}

/* Up to 3.10 a code object does not know its qualified name, but the functions made of it do. */
static bool has_function_of_that_name(void *code)
{
    void *gc = kp_api.PyImport_ImportModule("gc");
    void *users = gc ? kp_api.PyObject_CallMethod(gc, "get_referrers", "O", code) : NULL;
    ssize_t count = users ? kp_api.PyList_Size(users) : 0;
    bool has = false;

    for (ssize_t i = 0; i < count && !has; i++) {
        void *user = kp_api.PyList_GetItem(users, i);

        if (kp_type_of(user) == kp_api.PyFunction_Type && kp_api.PyFunction_GetCode(user) == code) {
            void *name = kp_attribute(user, "__qualname__");

            has = kp_is_name(name);
            kp_drop(name);
        }
    }
    kp_drop(users);
    kp_drop(gc);
    kp_api.PyErr_Clear();
    return has;
}

static bool has_that_name(void *code)
{
    if (kp_python.minor >= 11) {
        void *name = kp_attribute(code, "co_qualname");
        bool has = kp_is_name(name);

        kp_drop(name);
        return has;
    }
    struct kp_target target = kp_find();
    return (target.how == KP_FOUND_CODE && target.code == code) || has_function_of_that_name(code);
}

enum kp_match kp_match_decide(void *code, void *globals)
{
    enum kp_match match = kp_match_known(code);

    if (match != KP_MATCH_UNKNOWN)
        return match;
    if (kp_iteration.is_by_lookup || !kp_is_in_module(globals))
        return KP_MATCH_NO;
    match = has_that_name(code) && kp_number_attribute(code, "co_flags") & KP_CODE_OPTIMIZED
                ? KP_MATCH_YES
                : KP_MATCH_NO;
    if (match == KP_MATCH_YES || kp_python.minor < 12)
        remember(code, match);
    return match;
}

/* Code of another name, unless the function itself was called before. */
static void take_other_code(void *code)
{
    if (kp_iteration.calls)
        return;
    remember(code, KP_MATCH_YES);
    kp_iteration.is_by_lookup = true;
    kp_iteration.other_code = code;
}

void kp_match_after_import(void)
{
    struct kp_target target;

    if (kp_iteration.is_resolved)
        return;
    target = kp_find();
    kp_iteration.is_resolved = target.how != KP_FOUND_NOTHING;
    if (target.how == KP_FOUND_CODE)
        remember(target.code, KP_MATCH_YES);
    else if (target.how == KP_FOUND_OTHER_CODE)
        take_other_code(target.code);
    else if (target.how == KP_FOUND_NATIVE && !kp_iteration.calls)
        kp_native_count(target.definition);
}

void *kp_match_import_end(void)
{
    void *importlib = kp_api.PyImport_ImportModule("_frozen_importlib");
    void *lock = kp_attribute(importlib, "_ModuleLockManager");
    void *end = kp_attribute(lock, "__exit__");
    void *code = kp_attribute(end, "__code__"); /* kept: it lives as long as Python */

    kp_drop(end);
    kp_drop(lock);
    kp_drop(importlib);
    return code;
}
