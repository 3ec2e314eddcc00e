/* SPDX-License-Identifier: MIT */
/*
 * Runs as a function of Python's atexit, with the GIL, when nothing was marked: looks for the name
 * that is nearest to the one given, first among the modules, then in the module, then in the class.
 */
#include "iteration_hint.h"

#include "iteration.h"
#include "iteration_api.h"
#include "iteration_find.h"
#include "iteration_monitor.h"
#include "put.h"

#include <string.h>

#define LENGTH_MAX 64u

/* Insertions, deletions and changes from a to b; LENGTH_MAX for names that are too long. */
static unsigned distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    unsigned char line[LENGTH_MAX + 1];

    if (rows > LENGTH_MAX || columns > LENGTH_MAX)
        return LENGTH_MAX;
    for (size_t j = 0; j <= columns; j++)
        line[j] = (unsigned char)j;
    for (size_t i = 1; i <= rows; i++) {
        unsigned char corner = line[0];

        line[0] = (unsigned char)i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned best = corner + (a[i - 1] != b[j - 1]);

            corner = line[j];
            best = best < corner + 1u ? best : corner + 1u;
            line[j] = (unsigned char)(best < line[j - 1] + 1u ? best : line[j - 1] + 1u);
        }
    }
    return line[columns];
}

/* The nearest key, "" when none is near enough. */
static const char *nearest(void *dictionary, const char *name)
{
    unsigned best = (unsigned)strlen(name) / 3 + 2;
    const char *found = "";
    void *key, *value;
    ssize_t at = 0;

    while (dictionary && kp_api.PyDict_Next(dictionary, &at, &key, &value)) {
        const char *text = kp_is_text(key) ? kp_api.PyUnicode_AsUTF8(key) : NULL;
        unsigned far = text ? distance(name, text) : LENGTH_MAX;

        if (far < best) {
            best = far;
            found = text;
        }
    }
    return found;
}

static void suggest(const char *module, const char *prefix, const char *name)
{
    char *at = kp_iteration.reason, *end = at + sizeof kp_iteration.reason - 1;
    const char *const parts[] = {"did you mean ", module, ":", prefix, name, "?"};

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        at = kp_put(at, end, parts[i]);
}

static void say(const char *what)
{
    kp_put(kp_iteration.reason, kp_iteration.reason + sizeof kp_iteration.reason - 1, what);
}

static void hint_at_module(void)
{
    const char *name = nearest(kp_api.PySys_GetObject("modules"), kp_iteration.module);

    if (*name)
        suggest(name, "", kp_iteration.name);
    else
        say("no module of that name was imported");
}

/* Class.method: of a class that is there. True when something was said. */
static bool hint_in_class(void *module, const char *dot)
{
    char class_name[sizeof kp_iteration.name], prefix[sizeof kp_iteration.name + 1];
    void *class, *proxy, *members;
    const char *name;

    memset(class_name, 0, sizeof class_name);
    memcpy(class_name, kp_iteration.name, (size_t)(dot - kp_iteration.name));
    class = kp_api.PyDict_GetItemString(module, class_name);
    if (!class || !kp_is_a(class, kp_api.PyType_Type))
        return false;
    proxy = kp_attribute(class, "__dict__");
    members = proxy ? kp_api.PyObject_CallMethod(proxy, "copy", NULL) : NULL;
    kp_drop(proxy);
    name = members ? nearest(members, dot + 1) : "";
    kp_put(kp_put(prefix, prefix + sizeof prefix - 1, class_name), prefix + sizeof prefix - 1, ".");
    if (*name)
        suggest(kp_iteration.module, prefix, name);
    else
        say("its class has no such method");
    kp_drop(members);
    return true;
}

static void hint(void)
{
    void *module = kp_find_module(), *members;
    const char *dot = strchr(kp_iteration.name, '.');

    if (kp_iteration.reason[0])
        return;
    if (!module) {
        hint_at_module();
        return;
    }
    if (kp_find().how != KP_FOUND_NOTHING) {
        say("it is there");
        return;
    }
    members = kp_is_a(module, kp_api.PyModule_Type) ? kp_api.PyModule_GetDict(module) : NULL;
    if (!members)
        return;
    if (dot && hint_in_class(members, dot))
        return;
    const char *name = nearest(members, kp_iteration.name);
    if (*name)
        suggest(kp_iteration.module, "", name);
    else
        say("its module has no such name");
}

static void *on_exit_of_python(void *self, void *none)
{
    (void)self, (void)none;
    kp_iteration.is_displaced = kp_eval_is_displaced();
    if (!kp_iteration.calls)
        hint();
    kp_api.PyErr_Clear();
    kp_api.Py_IncRef(kp_api._Py_NoneStruct);
    return kp_api._Py_NoneStruct;
}

void kp_hint_at_exit(void)
{
    static struct kp_method_definition definition = {"kprof", (void *)on_exit_of_python,
                                                     KP_METH_NOARGS, NULL};
    void *atexit = kp_api.PyImport_ImportModule("atexit");
    void *callback = kp_api.PyCFunction_NewEx(&definition, NULL, NULL);

    if (atexit && callback)
        kp_drop(kp_api.PyObject_CallMethod(atexit, "register", "O", callback));
    kp_drop(callback);
    kp_drop(atexit);
    kp_api.PyErr_Clear();
}
