/* SPDX-License-Identifier: MIT */
/*
 * Functions that are left in other ways than by returning, that call themselves through Python, and
 * whose file is imported under two names.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <setjmp.h>

static jmp_buf landing;
static PyObject *leaper;

/* One dict, and back to whoever set the landing. */
static PyObject *leap(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    Py_DECREF(PyDict_New());
    longjmp(landing, 1);
}
static PyMethodDef leap_definition = {"leap", leap, METH_NOARGS, NULL};

/* leap() so many times, as Python would call it; then a list from behind it. */
static PyObject *leaps(PyObject *self, PyObject *count)
{
    volatile long left = PyLong_AsLong(count);

    (void)self;
    for (; left > 0; left = left - 1)
        if (setjmp(landing) == 0)
            PyCFunction_GET_FUNCTION(leaper)(NULL, NULL);
    return PyList_New(0);
}

/* One dict, and callable(depth - 1), which calls this again; at the end callable(-1). */
static PyObject *descend(PyObject *self, PyObject *arguments)
{
    PyObject *callable;
    long depth;

    (void)self;
    if (!PyArg_ParseTuple(arguments, "Ol", &callable, &depth))
        return NULL;
    Py_DECREF(PyDict_New());
    return PyObject_CallFunction(callable, "l", depth - 1);
}

/* The thread ends here, without the GIL. */
static PyObject *vanish(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    Py_DECREF(PyDict_New());
    PyEval_SaveThread();
    pthread_exit(NULL);
}

static PyMethodDef methods[] = {
    {"leaps", leaps, METH_O, NULL},
    {"descend", descend, METH_VARARGS, NULL},
    {"vanish", vanish, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
    leaper = PyCFunction_New(&leap_definition, NULL);
    return leaper ? PyModule_AddFunctions(module, methods) : -1;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)fill}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "leftmod", NULL, 0, NULL, slots,
                                        NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_leftmod(void)
{
    return PyModuleDef_Init(&definition);
}

PyMODINIT_FUNC PyInit_othername(void)
{
    return PyModuleDef_Init(&definition);
}
