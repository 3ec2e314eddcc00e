/* SPDX-License-Identifier: MIT */
/*
 * An extension that converts a known number of times: the oracle of conversions. make(n) builds what
 * pythonize makes of one struct with 6 fields, 4 tags and a map of 3, n times. Built with a PLT and
 * without one, under two names.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#ifndef MODULE
#define MODULE convmod
#endif
#define PASTE(a, b) a##b
#define NAME(a, b) PASTE(a, b)
#define QUOTE(a) #a
#define TEXT(a) QUOTE(a)

static PyObject *given(PyObject *object)
{
    Py_INCREF(object);
    return object;
}

static PyObject *text(const char *s)
{
    return PyUnicode_FromStringAndSize(s, (Py_ssize_t)strlen(s));
}

static int put(PyObject *dict, const char *key, PyObject *value)
{
    PyObject *name = text(key);
    int failed = !name || !value || PyDict_SetItem(dict, name, value);

    Py_XDECREF(name);
    Py_XDECREF(value);
    return failed;
}

/* PyDict_New 2, PyDict_SetItem 9, PyList_New 2, PyUnicode_FromStringAndSize 14,
 * PyBytes_FromStringAndSize 1, PyList_Append 5, PyLong_FromLong 3, PyFloat_FromDouble 1. */
static PyObject *one(void)
{
    PyObject *dict = PyDict_New(), *tags = PyList_New(0), *map = PyDict_New(), *more = PyList_New(0);
    static const char *const names[] = {"red", "green", "blue", "grey"};
    PyObject *item;

    for (int i = 0; i < 4; i++) {
        item = text(names[i]);
        PyList_Append(tags, item);
        Py_DECREF(item);
    }
    item = PyFloat_FromDouble(2.5);
    PyList_Append(more, item);
    Py_DECREF(item);
    put(map, "x", PyLong_FromLong(1001));
    put(map, "y", PyLong_FromLong(1002));
    put(map, "z", PyLong_FromLong(1003));
    put(dict, "name", text("engine"));
    put(dict, "tags", tags);
    put(dict, "map", map);
    put(dict, "more", more);
    put(dict, "payload", PyBytes_FromStringAndSize("0123456789abcdef", 16));
    put(dict, "flag", given(Py_True));
    return dict;
}

static PyObject *make(PyObject *self, PyObject *count)
{
    long n = PyLong_AsLong(count);
    PyObject *last = NULL;

    (void)self;
    for (long i = 0; i < n; i++) {
        Py_XDECREF(last);
        last = one();
    }
    return last ? last : given(Py_None);
}

/* Of each string in a list: its UTF-8. */
static PyObject *lengths(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t sum = 0;

    (void)self;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t size = 0;

        if (!PyUnicode_AsUTF8AndSize(args[i], &size))
            return NULL;
        sum += size;
    }
    return PyLong_FromSsize_t(sum);
}

static PyObject *grow(PyObject *self, PyObject *count)
{
    long n = PyLong_AsLong(count);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, 1024);

    (void)self;
    memset(PyBytes_AS_STRING(bytes), 'x', 1024);
    if (_PyBytes_Resize(&bytes, n))
        return NULL;
    return bytes;
}

/* As orjson ends: the size is in the object already when it asks for it. */
static PyObject *shrink(PyObject *self, PyObject *count)
{
    long n = PyLong_AsLong(count);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, 2 * n);

    (void)self;
    memset(PyBytes_AS_STRING(bytes), 'x', (size_t)n);
    PyBytes_AS_STRING(bytes)[n] = 0;
    ((PyVarObject *)bytes)->ob_size = n;
    if (_PyBytes_Resize(&bytes, n))
        return NULL;
    return bytes;
}

/* Eight calls that fail: sizes below 0 and beyond all memory. */
static PyObject *refused(PyObject *self, PyObject *count)
{
    long n = PyLong_AsLong(count);

    (void)self;
    for (long i = 0; i < n; i++) {
        PyObject *made[] = {PyBytes_FromStringAndSize(NULL, -5),
                            PyBytes_FromStringAndSize("x", -1),
                            PyBytes_FromStringAndSize(NULL, PY_SSIZE_T_MAX - 100),
                            PyByteArray_FromStringAndSize(NULL, -9),
                            PyUnicode_FromStringAndSize("x", -1),
                            PyUnicode_New(-2, 127),
                            PyList_New(-3),
                            PyTuple_New(-7)};

        PyErr_Clear();
        for (unsigned j = 0; j < sizeof made / sizeof *made; j++)
            if (made[j])
                return PyErr_Format(PyExc_AssertionError, "call %u was to fail", j);
    }
    Py_RETURN_NONE;
}

/* Functions that take any number of arguments: in registers of both kinds, and on the stack. */
static PyObject *any_number(PyObject *self, PyObject *args)
{
    PyObject *first, *all = NULL;
    double a = 0, b = 0;
    long n = 0, c = 0, d = 0, e = 0, f = 0;

    (void)self;
    if (!PyArg_ParseTuple(args, "Ol(ddllll)", &first, &n, &a, &b, &c, &d, &e, &f))
        return NULL;
    for (long i = 0; i < n; i++) {
        PyObject *pair = PyTuple_Pack(9, first, args, first, args, first, args, first, args, first);

        Py_XDECREF(all);
        all = pair ? Py_BuildValue("(dlldldddddddlN)", a, c, d, b, e, a, b, a, b, a, b, a, f, pair)
                   : NULL;
        if (!all)
            return NULL;
    }
    return all;
}

static PyObject *call(PyObject *self, PyObject *callable)
{
    (void)self;
    return PyObject_CallNoArgs(callable);
}

static PyObject *sleep_free(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    Py_BEGIN_ALLOW_THREADS
    struct timespec nap = {0, 20000000};
    nanosleep(&nap, NULL);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(7);
}

/* A thread that Python does not know: takes the GIL, converts, and gives it back, `rounds` times. */
struct job {
    long rounds, count;
};
static void *native_thread(void *argument)
{
    const struct job *job = argument;

    pthread_setname_np(pthread_self(), "native-worker");
    for (long i = 0; i < job->rounds; i++) {
        PyGILState_STATE state = PyGILState_Ensure();

        for (long j = 0; j < job->count; j++)
            Py_XDECREF(one());
        PyGILState_Release(state);
    }
    return NULL;
}

static PyObject *in_threads(PyObject *self, PyObject *const *args, Py_ssize_t given_args)
{
    pthread_t threads[2];
    struct job job = {given_args ? PyLong_AsLong(args[0]) : 0,
                      given_args > 1 ? PyLong_AsLong(args[1]) : 0};

    (void)self;
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, native_thread, &job);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    Py_END_ALLOW_THREADS
    return given(Py_None);
}

/* Is the function that comes next after this object the interpreter's own? */
static PyObject *next_is_real(PyObject *self, PyObject *none)
{
    Dl_info next, interpreter;
    void *function = dlsym(RTLD_NEXT, "PyBytes_Size");

    (void)self, (void)none;
    if (!function)
        function = dlsym(RTLD_DEFAULT, "PyBytes_Size");
    return PyBool_FromLong(dladdr(function, &next) && dladdr(&PyType_Type, &interpreter) &&
                           next.dli_fbase == interpreter.dli_fbase);
}

PyDoc_STRVAR(make_doc, "make($module, count, /)\n--\n\nMakes it.");
static PyMethodDef methods[] = {
    {"make", make, METH_O, make_doc},
    {"lengths", (PyCFunction)(void *)lengths, METH_FASTCALL, NULL},
    {"grow", grow, METH_O, NULL},
    {"shrink", shrink, METH_O, NULL},
    {"call", call, METH_O, NULL},
    {"refused", refused, METH_O, NULL},
    {"any_number", any_number, METH_VARARGS, NULL},
    {"in_threads", (PyCFunction)(void *)in_threads, METH_FASTCALL, NULL},
    {"next_is_real", next_is_real, METH_NOARGS, NULL},
    {"sleep_free", sleep_free, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *counter_new(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    (void)args, (void)kw;
    Py_DECREF(PyLong_FromLong(5000));
    return ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
}
static PyObject *counter_call(PyObject *self, PyObject *args, PyObject *kw)
{
    (void)self, (void)args, (void)kw;
    return PyLong_FromLong(6000);
}
static PyType_Slot slots[] = {{Py_tp_new, counter_new}, {Py_tp_call, counter_call}, {0, NULL}};
static PyType_Spec spec = {TEXT(MODULE) ".Counter", sizeof(PyObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

static int fill(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);

    return type ? PyModule_AddObject(module, "Counter", type) : -1;
}
static PyModuleDef_Slot parts[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, TEXT(MODULE), NULL, 0, methods, parts, NULL, NULL, NULL};

PyMODINIT_FUNC NAME(PyInit_, MODULE)(void)
{
    return PyModuleDef_Init(&module);
}
