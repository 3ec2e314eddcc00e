/* SPDX-License-Identifier: MIT */
/*
 * A Python extension that leaks in every way that leak_kinds.py can't by itself: below malloc, in
 * an allocator of its own, by mappings, by threads, by references. Each function does it once, and
 * is a test target: leaks on purpose, is called with the GIL.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ARENA_BYTES = 1 << 20 };

/* An allocator as many libraries bring one: arenas that it maps itself, nothing is ever given back. */
static char *arena_next, *arena_end;

static void *arena_take(size_t bytes)
{
    if ((size_t)(arena_end - arena_next) < bytes) {
        size_t mapped = bytes > ARENA_BYTES ? bytes : ARENA_BYTES;
        void *arena = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (arena == MAP_FAILED)
            return NULL;
        arena_next = arena;
        arena_end = arena_next + mapped;
    }
    char *taken = arena_next;
    arena_next += bytes;
    return taken;
}

static PyObject *nothing_or_memory_error(void *block, size_t bytes)
{
    if (!block)
        return PyErr_NoMemory();
    memset(block, 1, bytes);
    Py_RETURN_NONE;
}

static PyObject *leak_block(PyObject *self, PyObject *argument)
{
    size_t bytes = PyLong_AsSize_t(argument);
    (void)self;
    return nothing_or_memory_error(malloc(bytes), bytes);
}

/* Of this thread's block before only the first bytes stay: between them and this one is a hole. */
static PyObject *take_and_shrink(PyObject *self, PyObject *argument)
{
    static __thread char *before;
    size_t bytes = PyLong_AsSize_t(argument);
    char *block = malloc(bytes);
    (void)self;
    if (before && !realloc(before, 40))
        return PyErr_NoMemory();
    before = block;
    return nothing_or_memory_error(block, bytes);
}

static PyObject *leak_in_arena(PyObject *self, PyObject *argument)
{
    size_t bytes = PyLong_AsSize_t(argument);
    (void)self;
    return nothing_or_memory_error(arena_take(bytes), bytes);
}

static PyObject *leak_mapping(PyObject *self, PyObject *argument)
{
    size_t bytes = PyLong_AsSize_t(argument);
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)self;
    return nothing_or_memory_error(mapping == MAP_FAILED ? NULL : mapping, bytes);
}

static void *end_at_once(void *argument)
{
    return argument;
}

/* Neither joined nor detached: its stack and its record stay. */
static PyObject *leak_thread(PyObject *self, PyObject *unused)
{
    pthread_t thread;
    (void)self;
    (void)unused;
    if (pthread_create(&thread, NULL, end_at_once, NULL) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyObject *digits(PyObject *count)
{
    char text[4096];
    size_t length = PyLong_AsSize_t(count) % sizeof text;
    memset(text, '0', sizeof text);
    text[length - 1] = '7';
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)length);
}

/* The caller gets a number that it asked for, and the text that it was read from is forgotten. */
static PyObject *leak_reference(PyObject *self, PyObject *argument)
{
    PyObject *text = digits(argument);
    (void)self;
    return text ? PyLong_FromUnicodeObject(text, 10) : NULL; /* no Py_DECREF(text) */
}

/* The same without the mistake. */
static PyObject *no_leak(PyObject *self, PyObject *argument)
{
    PyObject *text = digits(argument);
    (void)self;
    if (!text)
        return NULL;
    PyObject *number = PyLong_FromUnicodeObject(text, 10);
    Py_DECREF(text);
    return number;
}

static PyMethodDef methods[] = {
    {"leak_block", leak_block, METH_O, NULL},
    {"take_and_shrink", take_and_shrink, METH_O, NULL},
    {"leak_in_arena", leak_in_arena, METH_O, NULL},
    {"leak_mapping", leak_mapping, METH_O, NULL},
    {"leak_thread", leak_thread, METH_NOARGS, NULL},
    {"leak_reference", leak_reference, METH_O, NULL},
    {"no_leak", no_leak, METH_O, NULL},
    {0},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "kinds", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_kinds(void);
PyMODINIT_FUNC PyInit_kinds(void)
{
    return PyModule_Create(&module);
}
