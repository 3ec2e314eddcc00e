/* SPDX-License-Identifier: MIT */
/*
 * A C extension for the tests, built for each interpreter with that one's headers. mark() allocates
 * a block of a known size, then writes down what the stack is: Python frames by Python's own API
 * (PyFrame_GetBack and so on, nothing that kprof uses), and between them this file's functions that
 * are running, which note the depth of the Python stack when they are entered. tree.py stores the
 * list; compare_tree.py holds it against the recording. Marked blocks are never given back.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

struct running {
    const char *name;
    Py_ssize_t python_depth; /* Python frames below it */
};
static __thread struct running running[4096];
static __thread int running_count;
static PyObject *marks; /* list of (size, kind, address, stack) */

static PyFrameObject *innermost(void)
{
    return PyThreadState_GetFrame(PyThreadState_Get());
}

static PyFrameObject *step_out(PyFrameObject *frame)
{
    PyFrameObject *back = PyFrame_GetBack(frame);

    Py_DECREF(frame);
    return back;
}

static Py_ssize_t python_depth(void)
{
    Py_ssize_t depth = 0;

    for (PyFrameObject *frame = innermost(); frame; frame = step_out(frame))
        depth++;
    return depth;
}

static void enter(const char *name, Py_ssize_t depth)
{
    running[running_count].name = name;
    running[running_count++].python_depth = depth;
}

static void leave(void)
{
    running_count--;
}

static PyObject *code_text(PyObject *code, const char *attribute)
{
    PyObject *text = PyObject_GetAttrString(code, attribute);

    if (!text)
        PyErr_Clear();
    return text;
}

/* (file, function, line) as Python tells it. */
static PyObject *describe(PyFrameObject *frame)
{
    PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    PyObject *name = code_text(code, "co_qualname");

    if (!name)
        name = code_text(code, "co_name");
    PyObject *entry = Py_BuildValue("(NNi)", code_text(code, "co_filename"), name, PyFrame_GetLineNumber(frame));
    Py_DECREF(code);
    return entry;
}

/* Outermost first: this file's functions stand as ("", name, 0) behind the Python frames that were
 * there when they were entered. */
static PyObject *describe_stack(void)
{
    PyObject *inner_first = PyList_New(0), *stack = PyList_New(0);
    Py_ssize_t depth = python_depth();
    int left = running_count;

    for (PyFrameObject *frame = innermost(); frame; frame = step_out(frame), depth--) {
        for (; left > 0 && running[left - 1].python_depth >= depth; left--) {
            PyObject *entry = Py_BuildValue("(ssi)", "", running[left - 1].name, 0);
            PyList_Append(inner_first, entry);
            Py_DECREF(entry);
        }
        PyObject *entry = describe(frame);
        PyList_Append(inner_first, entry);
        Py_DECREF(entry);
    }
    for (; left > 0; left--) {
        PyObject *entry = Py_BuildValue("(ssi)", "", running[left - 1].name, 0);
        PyList_Append(inner_first, entry);
        Py_DECREF(entry);
    }
    for (Py_ssize_t i = PyList_GET_SIZE(inner_first); i > 0; i--)
        PyList_Append(stack, PyList_GET_ITEM(inner_first, i - 1));
    Py_DECREF(inner_first);
    return stack;
}

static void *alloc_kind(const char *kind, size_t size)
{
    if (!strcmp(kind, "object"))
        return PyObject_Malloc(size);
    if (!strcmp(kind, "mem"))
        return PyMem_Malloc(size);
    if (!strcmp(kind, "raw"))
        return PyMem_RawMalloc(size);
    if (!strcmp(kind, "malloc"))
        return malloc(size);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return map == MAP_FAILED ? NULL : map;
}

static void *calloc_kind(const char *kind, size_t count, size_t size)
{
    if (!strcmp(kind, "object"))
        return PyObject_Calloc(count, size);
    return !strcmp(kind, "mem") ? PyMem_Calloc(count, size) : PyMem_RawCalloc(count, size);
}

static void *realloc_kind(const char *kind, void *block, size_t size)
{
    if (!strcmp(kind, "object"))
        return PyObject_Realloc(block, size);
    return !strcmp(kind, "mem") ? PyMem_Realloc(block, size) : PyMem_RawRealloc(block, size);
}

static PyObject *note_mark(const char *kind, size_t size, void *block, PyObject *stack)
{
    PyObject *entry = block && stack ? Py_BuildValue("(nsKN)", (Py_ssize_t)size, kind,
                                                     (unsigned long long)(uintptr_t)block, stack)
                                     : NULL;

    if (!entry || PyList_Append(marks, entry))
        return NULL;
    Py_DECREF(entry);
    Py_RETURN_NONE;
}

/* mark(size, kind): kind is object, mem, raw, malloc or mmap. */
static PyObject *tree_mark(PyObject *self, PyObject *args)
{
    Py_ssize_t size;
    const char *kind;

    (void)self;
    if (!PyArg_ParseTuple(args, "ns", &size, &kind))
        return NULL;
    void *block = alloc_kind(kind, (size_t)size);
    enter("tree_mark", python_depth());
    PyObject *stack = describe_stack();
    leave();
    return note_mark(kind, (size_t)size, block, stack);
}

/* call(function, argument...): what any C code that calls back does. */
static PyObject *tree_call(PyObject *self, PyObject *args)
{
    PyObject *rest;

    (void)self;
    if (PyTuple_GET_SIZE(args) < 1 || !(rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args))))
        return NULL;
    enter("tree_call", python_depth());
    PyObject *result = PyObject_CallObject(PyTuple_GET_ITEM(args, 0), rest);
    leave();
    Py_DECREF(rest);
    return result;
}

struct job {
    PyObject *function, *argument, *result;
    void *bare; /* allocated by the thread before it has anything to do with Python */
    size_t bare_size;
};

static void *tree_thread(void *argument)
{
    struct job *job = argument;

    job->bare = malloc(job->bare_size);
    PyGILState_STATE state = PyGILState_Ensure();
    enter("tree_thread", 0);
    job->result = PyObject_CallFunctionObjArgs(job->function, job->argument, NULL);
    PyObject *stack = Py_BuildValue("[(ssi)]", "", "tree_thread", 0);
    Py_XDECREF(note_mark("malloc", job->bare_size, job->bare, stack));
    leave();
    PyGILState_Release(state);
    return NULL;
}

/* call_in_thread(function, argument, size): in a native thread that enters Python from outside. */
static PyObject *tree_call_in_thread(PyObject *self, PyObject *args)
{
    struct job job = {0};
    Py_ssize_t size;
    pthread_t thread;

    (void)self;
    if (!PyArg_ParseTuple(args, "OOn", &job.function, &job.argument, &size))
        return NULL;
    job.bare_size = (size_t)size;
    Py_BEGIN_ALLOW_THREADS
    if (!pthread_create(&thread, NULL, tree_thread, &job))
        pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    return job.result;
}

/* alloc(kind, size), calloc(kind, count, size), realloc(kind, address, size), free(kind, address):
 * bare calls, nothing noted. */
static PyObject *tree_alloc(PyObject *self, PyObject *args)
{
    Py_ssize_t size;
    const char *kind;

    (void)self;
    if (!PyArg_ParseTuple(args, "sn", &kind, &size))
        return NULL;
    return PyLong_FromVoidPtr(alloc_kind(kind, (size_t)size));
}

static PyObject *tree_calloc(PyObject *self, PyObject *args)
{
    Py_ssize_t count, size;
    const char *kind;

    (void)self;
    if (!PyArg_ParseTuple(args, "snn", &kind, &count, &size))
        return NULL;
    return PyLong_FromVoidPtr(calloc_kind(kind, (size_t)count, (size_t)size));
}

static PyObject *tree_realloc(PyObject *self, PyObject *args)
{
    unsigned long long address;
    Py_ssize_t size;
    const char *kind;

    (void)self;
    if (!PyArg_ParseTuple(args, "sKn", &kind, &address, &size))
        return NULL;
    return PyLong_FromVoidPtr(realloc_kind(kind, (void *)(uintptr_t)address, (size_t)size));
}

static PyObject *tree_free(PyObject *self, PyObject *args)
{
    unsigned long long address;
    const char *kind;

    (void)self;
    if (!PyArg_ParseTuple(args, "sK", &kind, &address))
        return NULL;
    void *block = (void *)(uintptr_t)address;
    if (!strcmp(kind, "object"))
        PyObject_Free(block);
    else if (!strcmp(kind, "mem"))
        PyMem_Free(block);
    else
        PyMem_RawFree(block);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"mark", tree_mark, METH_VARARGS, NULL},
    {"call", tree_call, METH_VARARGS, NULL},
    {"call_in_thread", tree_call_in_thread, METH_VARARGS, NULL},
    {"alloc", tree_alloc, METH_VARARGS, NULL},
    {"calloc", tree_calloc, METH_VARARGS, NULL},
    {"realloc", tree_realloc, METH_VARARGS, NULL},
    {"free", tree_free, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tree_ext", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_tree_ext(void);
PyMODINIT_FUNC PyInit_tree_ext(void)
{
    PyObject *module = PyModule_Create(&definition);

    marks = PyList_New(0);
    if (!module || !marks || PyModule_AddObject(module, "marks", marks) < 0)
        return NULL;
    Py_INCREF(marks);
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    return module;
}
