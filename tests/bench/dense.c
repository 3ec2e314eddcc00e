/* SPDX-License-Identifier: MIT */
/*
 * An extension that does nothing but convert, as fast as Python can: what counting costs shows here
 * or nowhere. Each function returns the ns of CPU time that a call of the C API took.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The cheapest there are: none of these allocates. Four calls. */
static PyObject *cheap(PyObject *self, PyObject *count)
{
    long n = PyLong_AsLong(count);
    double began = now_ns();

    (void)self;
    for (long i = 0; i < n; i++) {
        Py_DECREF(PyLong_FromLong(i & 63));
        PyObject_IsTrue(Py_True);
        PyLong_AsLong(count);
        PyFloat_AsDouble(count);
    }
    return PyFloat_FromDouble((now_ns() - began) / (double)n / 4);
}

/* A small dictionary with strings, numbers and bytes. Fourteen calls. */
static void convert_record(long number)
{
    static const char *const keys[] = {"alpha", "beta", "gamma", "delta"};
    PyObject *dict = PyDict_New(), *bytes;

    for (int j = 0; j < 4; j++) {
        PyObject *key = PyUnicode_FromStringAndSize(keys[j], (Py_ssize_t)strlen(keys[j]));
        PyObject *value = PyLong_FromLong(number + j);

        PyDict_SetItem(dict, key, value);
        Py_DECREF(key);
        Py_DECREF(value);
    }
    bytes = PyBytes_FromStringAndSize("0123456789", 10);
    Py_DECREF(bytes);
    Py_DECREF(dict);
}

/* What a program does between two records: so many steps of a hash over some pages. */
static unsigned long work(unsigned long state, long steps)
{
    static unsigned long pages[2048];

    while (steps--) {
        unsigned long *place = &pages[state >> 53];

        state = (state ^ *place) * 0x9e3779b97f4a7c15u + 1;
        *place += state >> 32;
    }
    return state;
}

/* Records, with work between them. */
static PyObject *records(PyObject *self, PyObject *arguments)
{
    long n, steps;
    unsigned long state = 1;
    double began;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "ll", &n, &steps))
        return NULL;
    began = now_ns();
    for (long i = 0; i < n; i++) {
        convert_record(i);
        state = work(state, steps);
    }
    return PyFloat_FromDouble((now_ns() - began) / (double)n / 14 + (double)(state == 0));
}

static PyObject *nothing(PyObject *self, PyObject *argument)
{
    (void)self;
    Py_INCREF(argument);
    return argument;
}

static PyMethodDef methods[] = {
    {"cheap", cheap, METH_O, NULL},
    {"records", records, METH_VARARGS, NULL},
    {"nothing", nothing, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "dense", NULL, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_dense(void)
{
    return PyModuleDef_Init(&module);
}
