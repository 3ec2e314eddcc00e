/* SPDX-License-Identifier: MIT */
/*
 * Modules' and classes' dictionaries are read as they are: no __getattr__, no descriptor of the
 * program runs. Then what decorators have put around the function is taken off, as far as they tell
 * (__wrapped__, __func__, a partial's func), because a user who names app:step means the code
 * that stands under "def step".
 */
#include "iteration_find.h"

#include "iteration.h"
#include "put.h"

#include <string.h>

#define UNWRAP_MAX 32

static void *module_text, *name_text, *wrapped_text;

bool kp_find_init(void)
{
    module_text = kp_api.PyUnicode_FromString(kp_iteration.module);
    name_text = kp_api.PyUnicode_FromString(kp_iteration.name);
    wrapped_text = kp_api.PyUnicode_FromString("__wrapped__");
    return module_text && name_text && wrapped_text;
}

static bool is_same(void *text, void *wanted)
{
    return kp_is_text(text) && kp_api.PyUnicode_Compare(text, wanted) == 0;
}

bool kp_is_name(void *text)
{
    return is_same(text, name_text);
}

bool kp_is_module(void *text)
{
    return is_same(text, module_text);
}

static bool is_text(void *text, const char *wanted)
{
    const char *have = kp_is_text(text) ? kp_api.PyUnicode_AsUTF8(text) : NULL;

    return have && strcmp(have, wanted) == 0;
}

/* /path/app.py is the program "app". */
static bool is_script(void *file)
{
    const char *path = kp_is_text(file) ? kp_api.PyUnicode_AsUTF8(file) : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *base = slash ? slash + 1 : path;
    size_t bytes = strlen(kp_iteration.module);

    return base && strncmp(base, kp_iteration.module, bytes) == 0 &&
           (strcmp(base + bytes, ".py") == 0 || base[bytes] == 0);
}

/* python -m app, and python -m package, whose code is package/__main__.py. */
static bool is_run_module(void *globals)
{
    void *spec = kp_api.PyDict_GetItemString(globals, "__spec__");
    void *name = spec ? kp_attribute(spec, "name") : NULL;
    const char *text = kp_is_text(name) ? kp_api.PyUnicode_AsUTF8(name) : NULL;
    size_t bytes = strlen(kp_iteration.module);
    bool is = text && strncmp(text, kp_iteration.module, bytes) == 0 &&
              (text[bytes] == 0 || strcmp(text + bytes, ".__main__") == 0);

    kp_drop(name);
    return is;
}

/* At its end the program has no __file__ any more. */
static void *script(void *globals)
{
    void *file = kp_api.PyDict_GetItemString(globals, "__file__");
    void *arguments = file ? NULL : kp_api.PySys_GetObject("argv");

    if (arguments && kp_is_a(arguments, kp_api.PyList_Type) && kp_api.PyList_Size(arguments) > 0)
        file = kp_api.PyList_GetItem(arguments, 0);
    return file;
}

/* The program itself; in a process that multiprocessing has spawned it has another name. */
static bool is_main_meant(void *globals)
{
    return strcmp(kp_iteration.module, "__main__") == 0 || is_run_module(globals) ||
           is_script(script(globals));
}

bool kp_is_in_module(void *globals)
{
    void *name = globals ? kp_api.PyDict_GetItemString(globals, "__name__") : NULL;

    if (kp_is_module(name))
        return true;
    return (is_text(name, "__main__") || is_text(name, "__mp_main__")) && is_main_meant(globals);
}

void *kp_find_module(void)
{
    static const char *const mains[] = {"__main__", "__mp_main__"};
    void *modules = kp_api.PySys_GetObject("modules");
    void *module;

    if (!modules || !kp_is_a(modules, kp_api.PyDict_Type))
        return NULL;
    module = kp_api.PyDict_GetItem(modules, module_text);
    for (unsigned i = 0; !module && i < sizeof mains / sizeof *mains; i++) {
        void *main = kp_api.PyDict_GetItemString(modules, mains[i]);

        if (main && kp_is_a(main, kp_api.PyModule_Type) &&
            is_main_meant(kp_api.PyModule_GetDict(main)))
            module = main;
    }
    return module;
}

/* A new reference, NULL. */
static void *member(void *object, const char *name)
{
    void *text = kp_api.PyUnicode_FromString(name), *value = NULL;

    if (text && kp_is_a(object, kp_api.PyModule_Type))
        value = kp_api.PyDict_GetItem(kp_api.PyModule_GetDict(object), text);
    else if (text && kp_is_a(object, kp_api.PyType_Type))
        value = kp_api._PyType_Lookup(object, text);
    if (value)
        kp_api.Py_IncRef(value);
    kp_drop(text);
    return value;
}

/* Of module:Class.method, the object; a new reference, NULL. */
static void *look_up(void)
{
    void *object = kp_find_module();
    char parts[sizeof kp_iteration.name], *rest = parts, *part;

    if (object)
        kp_api.Py_IncRef(object);
    memcpy(parts, kp_iteration.name, sizeof parts);
    while (object && (part = strsep(&rest, "."))) {
        void *inner = member(object, part);

        kp_drop(object);
        object = inner;
    }
    return object;
}

static const char *type_name(void *object)
{
    /* tp_name comes first, behind the head and ob_size of a type. */
    const char *type = kp_type_of(object);

    return *(const char *const *)(type + kp_object_head_bytes() + sizeof(ssize_t));
}

static bool is_cython(void *object)
{
    const char *name = strrchr(type_name(object), '.');

    name = name ? name + 1 : type_name(object);
    return strcmp(name, "cython_function_or_method") == 0;
}

/* What it is wrapped around; a new reference, NULL: nothing. */
static void *inner_of(void *object)
{
    void *type = kp_type_of(object), *inner;

    if (type == kp_api.PyStaticMethod_Type || type == kp_api.PyClassMethod_Type ||
        type == kp_api.PyMethod_Type)
        return kp_attribute(object, "__func__");
    if (type == kp_api.PyProperty_Type)
        return kp_attribute(object, "fget");
    if (strcmp(type_name(object), "functools.partial") == 0)
        return kp_attribute(object, "func");
    if (type == kp_api.PyType_Type || kp_is_a(object, kp_api.PyType_Type))
        return NULL;
    inner = kp_api.PyObject_GenericGetAttr(object, wrapped_text);
    if (!inner)
        kp_api.PyErr_Clear();
    return inner;
}

static void *unwrap(void *object)
{
    for (unsigned i = 0; object && i < UNWRAP_MAX; i++) {
        void *inner = inner_of(object);

        if (!inner)
            break;
        kp_drop(object);
        object = inner;
    }
    return object;
}

static bool is_function_of_that_name(void *object)
{
    bool is = false;

    if (kp_type_of(object) == kp_api.PyFunction_Type) {
        void *name = kp_attribute(object, "__qualname__");
        void *module = kp_attribute(object, "__module__");

        is = kp_is_name(name) && (kp_is_module(module) || is_text(module, "__main__") ||
                                  is_text(module, "__mp_main__"));
        kp_drop(name);
        kp_drop(module);
    }
    return is;
}

/* A decorator that doesn't tell what it is around has it in its closure, mostly. */
static void *in_closure(void *function)
{
    void *closure = kp_api.PyFunction_GetClosure(function), *found = NULL;
    ssize_t cells = closure ? kp_api.PyTuple_Size(closure) : 0;

    for (ssize_t i = 0; i < cells && !found; i++) {
        void *value = kp_api.PyCell_Get(kp_api.PyTuple_GetItem(closure, i));

        if (value && is_function_of_that_name(value))
            found = value;
        kp_drop(value); /* its cell keeps it */
    }
    kp_api.PyErr_Clear();
    return found;
}

static struct kp_target of_function(void *function)
{
    struct kp_target target = {.how = KP_FOUND_OTHER_CODE};
    void *inside = NULL;

    if (is_function_of_that_name(function)) {
        target.how = KP_FOUND_CODE;
    } else if ((inside = in_closure(function))) {
        target.how = KP_FOUND_CODE;
        function = inside;
    }
    target.code = kp_api.PyFunction_GetCode(function);
    return target;
}

static struct kp_target uncountable(const char *what)
{
    char *at = kp_iteration.reason, *end = at + sizeof kp_iteration.reason - 1;

    at = kp_put(at, end, what);
    kp_put(at, end, ": name a function or a method");
    return (struct kp_target){.how = KP_FOUND_UNCOUNTABLE};
}

/* A class is called when its objects are made. */
static struct kp_target of_class(void *class)
{
    static const char *const makers[] = {"__init__", "__new__"};
    struct kp_target target = {.how = KP_FOUND_NOTHING};

    for (unsigned i = 0; target.how == KP_FOUND_NOTHING && i < 2; i++) {
        void *maker = unwrap(member(class, makers[i]));

        if (maker && kp_type_of(maker) == kp_api.PyFunction_Type)
            target = (struct kp_target){.how = KP_FOUND_OTHER_CODE,
                                        .code = kp_api.PyFunction_GetCode(maker)};
        kp_drop(maker);
    }
    if (target.how == KP_FOUND_NOTHING)
        return uncountable("it is a class without an __init__ in Python");
    return target;
}

static struct kp_target of_native(void *place)
{
    return (struct kp_target){KP_FOUND_NATIVE, NULL, *(struct kp_method_definition **)place};
}

static struct kp_target target_of(void *object)
{
    void *type = kp_type_of(object);
    char *behind_head = (char *)object + kp_object_head_bytes();

    if (type == kp_api.PyFunction_Type)
        return of_function(object);
    if (kp_is_a(object, kp_api.PyCFunction_Type) || is_cython(object))
        return of_native(behind_head);
    if (type == kp_api.PyMethodDescr_Type || type == kp_api.PyClassMethodDescr_Type)
        return of_native(behind_head + 3 * sizeof(void *)); /* d_type, d_name, d_qualname */
    if (kp_is_a(object, kp_api.PyType_Type))
        return of_class(object);
    return uncountable("it is an object, whose calls can't be told from others' of its class");
}

struct kp_target kp_find(void)
{
    struct kp_target target = {.how = KP_FOUND_NOTHING};
    void *object = unwrap(look_up());

    if (object)
        target = target_of(object);
    kp_drop(object);
    kp_api.PyErr_Clear();
    return target;
}
