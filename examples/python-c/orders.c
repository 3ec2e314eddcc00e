/* SPDX-License-Identifier: MIT */
/*
 * The C half of a small order service; app.py is the other. Three functions, two mistakes:
 *
 *   total    works on a scratch buffer that it gives back: churn, no growth
 *   label    forgets its buffer when the name has a quote in it: memory of C that nobody owns
 *   promote  holds on to the order before the last one as well: objects of Python that C keeps alive
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *urgent; /* the last order that was promoted */

static PyObject *total(PyObject *module, PyObject *lines)
{
    Py_ssize_t count = PyList_Check(lines) ? PyList_GET_SIZE(lines) : 0;
    double sum = 0, *amounts = malloc((size_t)(count + 1) * sizeof *amounts);

    (void)module;
    if (!amounts)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++)
        amounts[i] = PyFloat_AsDouble(PyList_GET_ITEM(lines, i));
    for (Py_ssize_t i = 0; i < count; i++)
        sum += amounts[i];
    free(amounts);
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(sum);
}

static PyObject *label(PyObject *module, PyObject *name)
{
    Py_ssize_t bytes;
    const char *text = PyUnicode_AsUTF8AndSize(name, &bytes);
    char *quoted = text ? malloc(2 * (size_t)bytes + 3) : NULL, *end = quoted;
    PyObject *result;

    (void)module;
    if (!quoted)
        return text ? PyErr_NoMemory() : NULL;
    *end++ = '"';
    for (Py_ssize_t i = 0; i < bytes; i++) {
        if (text[i] == '"')
            *end++ = '\\';
        *end++ = text[i];
    }
    *end++ = '"';
    result = PyUnicode_FromStringAndSize(quoted, end - quoted);
    if (end - quoted == bytes + 2) /* the mistake: names with a quote in them leave here too */
        free(quoted);
    return result;
}

static PyObject *promote(PyObject *module, PyObject *order)
{
    (void)module;
    Py_INCREF(order);
    urgent = order; /* the mistake: the order that stood here is never released */
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"total", total, METH_O, "Sum of a list of amounts."},
    {"label", label, METH_O, "The name, quoted."},
    {"promote", promote, METH_O, "Remember this order as the urgent one."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "orders", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_orders(void);
PyMODINIT_FUNC PyInit_orders(void)
{
    return PyModule_Create(&definition);
}
