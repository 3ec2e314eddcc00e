#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs behave the same with and without: import order, signatures, pickling, identity of
# functions, ctypes.pythonapi, RTLD_NEXT, subinterpreters, reload, exceptions; libraries found by RPATH and
# $ORIGIN; greenlets that switch stacks inside of entries; a module that dlopens another.
. "$(dirname "$0")/lib_conversions.sh"

behave_on() # label, path
{
    local folder
    folder=$(build_modules "$2") || { skip "the same behaviour [$1]" "the extension cannot be built"; return; }
    PYTHONPATH=$folder "$2" "$CONVERSIONS/behave.py" > plain.txt 2>&1
    assert_eq "the program runs [$1]" 0 $?
    PYTHONPATH=$folder shim "$TMP/behave.db" "$2" "$CONVERSIONS/behave.py" > with.txt 2>&1
    assert_same_file "what a program finds out about its extensions is as without [$1]" plain.txt with.txt
    settle "$TMP/behave.db"
    assert_range "and its conversions were counted [$1]" 14 1000 "$(calls_of "$TMP/behave.db" method make PyDict_New)"
    rm -f "$TMP"/behave.db*
}
each_python behave_on minors

IFS=$'\t' read -r label path < <(pick_python '3\.11\..* static')
[ -n "${path:-}" ] || { skip "RPATH, greenlets" "no static Python 3.11 here"; exit 0; }

# deep/outer.so needs inner.so by RPATH $ORIGIN/lib, and opens other.so by $ORIGIN in its turn.
include=$("$path" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
mkdir -p deep/lib
echo 'int inner_number(void) { return 42; }' > inner.c
echo 'int other_number(void) { return 43; }' > other.c
cat > outer.c << 'C'
#include <Python.h>
#include <dlfcn.h>
int inner_number(void);
static PyObject *numbers(PyObject *self, PyObject *none)
{
    void *other = dlopen("$ORIGIN/lib/other.so", RTLD_NOW);
    int (*number)(void) = other ? (int (*)(void))dlsym(other, "other_number") : NULL;
    return Py_BuildValue("iis", inner_number(), number ? number() : -1, other ? "" : dlerror());
}
static PyMethodDef methods[] = {{"numbers", numbers, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "outer", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_outer(void) { return PyModule_Create(&module); }
C
cc=${CC:-cc}
# shellcheck disable=SC2016
if $cc -shared -fPIC -o deep/lib/inner.so inner.c && $cc -shared -fPIC -o deep/lib/other.so other.c &&
    $cc -shared -fPIC -isystem "$include" -o deep/outer.so outer.c -Ldeep/lib -l:inner.so '-Wl,-rpath,$ORIGIN/lib' -ldl; then
    assert_eq "libraries are found by RPATH and \$ORIGIN [$label]" "(42, 43, '')" \
        "$(PYTHONPATH=$TMP/deep shim "$TMP/deep.db" "$path" -c 'import outer; print(outer.numbers())')"
else
    skip "RPATH and \$ORIGIN" "the libraries cannot be built"
fi

folder=$(build_modules "$path")
cat > greenlets.py << 'PY'
import sys
import convmod
from greenlet import greenlet

def ping(n):
    for i in range(n):
        convmod.make(1)
        convmod.call(two.switch)
    return "ping"

def pong():
    while True:
        convmod.call(lambda: convmod.make(2))
        one.switch()

one, two = greenlet(ping), greenlet(pong)
print(one.switch(300))
PY
if "$path" -c 'import greenlet' 2> /dev/null; then
    assert_eq "greenlets switch stacks inside of entries [$label]" ping \
        "$(PYTHONPATH=$folder shim "$TMP/greenlets.db" "$path" greenlets.py 2>&1)"
    settle "$TMP/greenlets.db"
    assert_eq "and nothing is counted elsewhere [$label]" $((300 * 3 * 2)) "$(calls_of "$TMP/greenlets.db" method make PyDict_New)"
else
    skip "greenlets" "python3-greenlet is not installed"
fi
