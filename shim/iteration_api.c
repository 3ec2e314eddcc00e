/* SPDX-License-Identifier: MIT */
/*
 * Looks the functions up. Once, in our constructor.
 */
#include "iteration_api.h"

struct kp_api kp_api __attribute__((visibility("hidden")));

bool kp_api_find(void)
{
    static const struct {
        const char *name;
        void **place;
    } wanted[] = {
#define FUNCTION(type, name, parameters) {#name, (void **)&kp_api.name},
        KP_API_FUNCTIONS(FUNCTION)
#undef FUNCTION
#define OBJECT(name) {#name, &kp_api.name},
        KP_API_OBJECTS(OBJECT)
#undef OBJECT
    };

    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].place = kp_python_symbol(wanted[i].name);
        if (!*wanted[i].place)
            return false;
    }
    return true;
}

void *kp_attribute(void *object, const char *name)
{
    void *value = object ? kp_api.PyObject_GetAttrString(object, name) : NULL;

    if (!value)
        kp_api.PyErr_Clear();
    return value;
}

long kp_number_attribute(void *object, const char *name)
{
    void *value = kp_attribute(object, name);
    long number = value ? kp_api.PyLong_AsLong(value) : -1;

    if (value)
        kp_api.PyErr_Clear();
    kp_drop(value);
    return number;
}

void kp_drop(void *object)
{
    if (object)
        kp_api.Py_DecRef(object);
}
