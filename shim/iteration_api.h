/* SPDX-License-Identifier: MIT */
/*
 * Python's C API, as far as iterations by name use it. All of it needs the GIL and is called where
 * Python expects to be called: from the audit hook, a monitoring callback, the evaluation hook.
 * Objects are void *.
 */
#ifndef KP_ITERATION_API_H
#define KP_ITERATION_API_H

#include "python.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define KP_API_FUNCTIONS(X)                                                                        \
    X(int, PySys_AddAuditHook, (int (*)(const char *, void *, void *), void *))                    \
    X(void *, PySys_GetObject, (const char *))                                                     \
    X(void, PyErr_Fetch, (void **, void **, void **))                                              \
    X(void, PyErr_Restore, (void *, void *, void *))                                               \
    X(void, PyErr_Clear, (void))                                                                   \
    X(void *, PyObject_GetAttrString, (void *, const char *))                                      \
    X(void *, PyObject_GenericGetAttr, (void *, void *))                                           \
    X(void *, PyObject_CallMethod, (void *, const char *, const char *, ...))                      \
    X(void *, PyImport_ImportModule, (const char *))                                               \
    X(void *, PyDict_GetItem, (void *, void *))                                                    \
    X(void *, PyDict_GetItemString, (void *, const char *))                                        \
    X(int, PyDict_Next, (void *, ssize_t *, void **, void **))                                     \
    X(void *, PyModule_GetDict, (void *))                                                          \
    X(int, PyType_IsSubtype, (void *, void *))                                                     \
    X(void *, _PyType_Lookup, (void *, void *))                                                    \
    X(void *, PyUnicode_FromString, (const char *))                                                \
    X(int, PyUnicode_Compare, (void *, void *))                                                    \
    X(const char *, PyUnicode_AsUTF8, (void *))                                                    \
    X(long, PyLong_AsLong, (void *))                                                               \
    X(void *, PyCFunction_NewEx, (void *, void *, void *))                                         \
    X(void *, PyEval_GetGlobals, (void))                                                           \
    X(void *, PyFunction_GetCode, (void *))                                                        \
    X(void *, PyFunction_GetClosure, (void *))                                                     \
    X(void *, PyCell_Get, (void *))                                                                \
    X(ssize_t, PyTuple_Size, (void *))                                                             \
    X(void *, PyTuple_GetItem, (void *, ssize_t))                                                  \
    X(ssize_t, PyList_Size, (void *))                                                              \
    X(void *, PyList_GetItem, (void *, ssize_t))                                                   \
    X(void, Py_IncRef, (void *))                                                                   \
    X(void, Py_DecRef, (void *))

#define KP_API_OBJECTS(X)                                                                          \
    X(_Py_NoneStruct) X(PyModule_Type) X(PyType_Type) X(PyFunction_Type) X(PyMethod_Type)          \
    X(PyStaticMethod_Type) X(PyClassMethod_Type) X(PyProperty_Type) X(PyCFunction_Type)            \
    X(PyMethodDescr_Type) X(PyClassMethodDescr_Type) X(PyUnicode_Type) X(PyDict_Type) X(PyList_Type)

struct kp_api {
#define FUNCTION(type, name, parameters) type(*name) parameters;
    KP_API_FUNCTIONS(FUNCTION)
#undef FUNCTION
#define OBJECT(name) void *name;
    KP_API_OBJECTS(OBJECT)
#undef OBJECT
};
extern struct kp_api kp_api __attribute__((visibility("hidden")));

/* False: this Python lacks some of it. */
bool kp_api_find(void);

/* As in CPython's headers; free-threaded builds have a larger head. */
struct kp_method_definition {
    const char *name;
    void *function;
    int flags;
    const char *doc;
};
#define KP_METH_NOARGS 0x0004
#define KP_METH_FASTCALL 0x0080

static inline size_t kp_object_head_bytes(void)
{
    return kp_python.is_free_threaded ? 32 : 16;
}

static inline void *kp_type_of(const void *object)
{
    return *(void *const *)((const char *)object + kp_object_head_bytes() - sizeof(void *));
}

static inline bool kp_is_text(const void *object)
{
    return object && kp_type_of(object) == kp_api.PyUnicode_Type;
}

static inline bool kp_is_a(const void *object, void *type)
{
    return kp_api.PyType_IsSubtype(kp_type_of(object), type) != 0;
}

/* An attribute as by getattr(), NULL when there is none; no exception stays. A new reference. */
void *kp_attribute(void *object, const char *name);

/* The same as a whole number, -1 when there is none. */
long kp_number_attribute(void *object, const char *name);

void kp_drop(void *object);

#endif
