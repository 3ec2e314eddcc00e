/* SPDX-License-Identifier: MIT */
/*
 * Definitions of methods are changed in place, when the extension hands them over: the thunk stands
 * in ml_meth from then on, so that a second registration (another interpreter, a reload) finds it
 * and changes nothing, and everything else of the definition is as it was. Host's threads, in a
 * call that the extension makes; one at a time.
 */
#include "entry_wrap.h"

#include "entry.h"
#include "got.h"
#include "hook_table.h"
#include "patch_word.h"
#include "start.h"

#include <errno.h>
#include <string.h>

static void *real_module_create, *real_module_def_init, *real_module_from_def;
static void *real_add_functions, *real_function_new, *real_function_new_ex, *real_method_new;
static void *real_descr_method, *real_descr_class_method, *real_get_function;

bool kp_entries_open(uint64_t *cookie)
{
    if (!kp_guard_enter(cookie))
        return false;
    if (kp_start_ready() && kp_spin_lock(&kp_state.entries_lock))
        return true;
    kp_guard_leave();
    return false;
}

void kp_entries_close(void)
{
    kp_spin_unlock(&kp_state.entries_lock);
    kp_guard_leave();
}

const char *kp_last_part(const char *name)
{
    const char *dot = name ? strrchr(name, '.') : NULL;

    return dot ? dot + 1 : name;
}

void *kp_entry_wrap(enum kp_entry_kind kind, void *function, const char *prefix, const char *name)
{
    uint32_t number;

    if (!function || kp_entry_is_thunk(function) || !kp_got_wraps((uintptr_t)function))
        return function;
    number = kp_entry_number(kind, function, prefix, name);
    if (!number) {
        atomic_fetch_add(&kp_state.info->lost_entries, 1);
        return function;
    }
    atomic_fetch_add(&kp_state.info->wrapped_entries, 1);
    return kp_entry_thunk(number);
}

static void wrap(struct kp_method_definition *definition, const char *prefix)
{
    void *thunk = kp_entry_wrap(KP_ENTRY_METHOD, definition->function, prefix, definition->name);

    if (thunk != definition->function)
        kp_patch_word(&definition->function, thunk);
}

void kp_entry_wrap_method(struct kp_method_definition *definition, const char *prefix)
{
    int error = errno;
    uint64_t cookie;

    if (definition && definition->function && kp_entries_open(&cookie)) {
        wrap(definition, prefix);
        kp_entries_close();
    }
    errno = error;
}

void kp_entry_wrap_methods(struct kp_method_definition *table, const char *prefix)
{
    int error = errno;
    uint64_t cookie;

    if (table && kp_entries_open(&cookie)) {
        for (; table->name; table++)
            wrap(table, prefix);
        kp_entries_close();
    }
    errno = error;
}

/* Behind a definition's base: name, doc, size, methods. */
static struct kp_method_definition *methods_of(const char *module)
{
    size_t base = kp_object_head_bytes() + 3 * sizeof(void *);

    return module ? *(struct kp_method_definition *const *)(module + base + 24) : NULL;
}

static void *module_create(char *definition, int version)
{
    kp_entry_wrap_methods(methods_of(definition), NULL);
    return ((void *(*)(char *, int))real_module_create)(definition, version);
}

static void *module_def_init(char *definition)
{
    kp_entry_wrap_methods(methods_of(definition), NULL);
    return ((void *(*)(char *))real_module_def_init)(definition);
}

static void *module_from_def(char *definition, void *spec, int version)
{
    kp_entry_wrap_methods(methods_of(definition), NULL);
    return ((void *(*)(char *, void *, int))real_module_from_def)(definition, spec, version);
}

static int add_functions(void *module, struct kp_method_definition *table)
{
    kp_entry_wrap_methods(table, NULL);
    return ((int (*)(void *, struct kp_method_definition *))real_add_functions)(module, table);
}

static void *function_new(struct kp_method_definition *definition, void *self)
{
    kp_entry_wrap_method(definition, NULL);
    return ((void *(*)(struct kp_method_definition *, void *))real_function_new)(definition, self);
}

static void *function_new_ex(struct kp_method_definition *definition, void *self, void *module)
{
    kp_entry_wrap_method(definition, NULL);
    return ((void *(*)(struct kp_method_definition *, void *, void *))real_function_new_ex)(
        definition, self, module);
}

static void *method_new(struct kp_method_definition *definition, void *self, void *module,
                        void *type)
{
    kp_entry_wrap_method(definition, NULL);
    return ((void *(*)(struct kp_method_definition *, void *, void *, void *))real_method_new)(
        definition, self, module, type);
}

static const char *name_of_type(const char *type)
{
    return kp_last_part(*(const char *const *)(type + kp_object_head_bytes() + 8));
}

static void *descr_method(char *type, struct kp_method_definition *definition)
{
    kp_entry_wrap_method(definition, name_of_type(type));
    return ((void *(*)(char *, struct kp_method_definition *))real_descr_method)(type, definition);
}

static void *descr_class_method(char *type, struct kp_method_definition *definition)
{
    kp_entry_wrap_method(definition, name_of_type(type));
    return ((void *(*)(char *, struct kp_method_definition *))real_descr_class_method)(type,
                                                                                       definition);
}

/* An extension that asks for the function behind a callable gets what it knows. */
static void *get_function(void *callable)
{
    return kp_entry_function(((void *(*)(void *))real_get_function)(callable));
}

const struct kp_hook kp_entry_hooks[] = {
    {"PyModule_Create2", (void *)module_create, &real_module_create},
    {"PyModuleDef_Init", (void *)module_def_init, &real_module_def_init},
    {"PyModule_FromDefAndSpec2", (void *)module_from_def, &real_module_from_def},
    {"PyModule_AddFunctions", (void *)add_functions, &real_add_functions},
    {"PyCFunction_New", (void *)function_new, &real_function_new},
    {"PyCFunction_NewEx", (void *)function_new_ex, &real_function_new_ex},
    {"PyCMethod_New", (void *)method_new, &real_method_new},
    {"PyDescr_NewMethod", (void *)descr_method, &real_descr_method},
    {"PyDescr_NewClassMethod", (void *)descr_class_method, &real_descr_class_method},
    {"PyCFunction_GetFunction", (void *)get_function, &real_get_function},
    {NULL, NULL, NULL},
};
