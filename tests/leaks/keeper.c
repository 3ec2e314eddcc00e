/* SPDX-License-Identifier: MIT */
/*
 * The C half of the programs whose leaks are known (leaky.py): an extension that forgets memory on
 * each of the ways that a bridge between Python and C has. Built for the interpreter of the test.
 *
 *   forget   memory of C that nobody frees (native code)
 *   convert  a bytes object for Python with one reference too many (the bridge)
 *   work     takes memory, fills it and gives it back
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

static PyObject *forget(PyObject *module, PyObject *size)
{
    size_t bytes = PyLong_AsSize_t(size);
    char *memory = PyErr_Occurred() ? NULL : malloc(bytes);

    (void)module;
    if (!memory)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    memset(memory, 1, bytes);
    Py_RETURN_NONE;
}

static PyObject *convert(PyObject *module, PyObject *size)
{
    size_t bytes = PyLong_AsSize_t(size);
    PyObject *made = PyErr_Occurred() ? NULL : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);

    (void)module;
    if (!made)
        return NULL;
    memset(PyBytes_AS_STRING(made), 1, bytes);
    Py_INCREF(made); /* the mistake: it has a reference already */
    return made;
}

static PyObject *work(PyObject *module, PyObject *size)
{
    size_t bytes = PyLong_AsSize_t(size);
    char *memory = PyErr_Occurred() ? NULL : malloc(bytes);

    (void)module;
    if (!memory)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    memset(memory, 1, bytes);
    free(memory);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"forget", forget, METH_O, "Takes that many bytes and forgets them."},
    {"convert", convert, METH_O, "That many bytes, which will never be freed."},
    {"work", work, METH_O, "Takes that many bytes and gives them back."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "keeper", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_keeper(void);
PyMODINIT_FUNC PyInit_keeper(void)
{
    return PyModule_Create(&definition);
}
