#!/bin/bash
# SPDX-License-Identifier: MIT
# Objects that are laid out in unusual ways: a definition of functions that lies read-only beside
# the code (a program that is not relocatable, linked as linkers did before 2018), a libpython whose
# program headers stand behind what is mapped (as BOLT leaves it).
. "$(dirname "$0")/lib_conversions.sh"

IFS=$'\t' read -r label path < <(pick_python '3\.1[1-4]\..* shared')
[ -n "${path:-}" ] || { skip "unusual layouts of objects" "no shared Python here"; exit 0; }
include=$("$path" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
library=$(ldd "$path" | awk '/libpython/ { print $3 }')

cat > inside.c << 'C'
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static const PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "inside", NULL, -1,
                                    (PyMethodDef *)methods, NULL, NULL, NULL, NULL};
static PyObject *make(void) { return PyModule_Create(&module); }
int main(void)
{
    PyImport_AppendInittab("inside", make);
    Py_Initialize();
    int status = PyRun_SimpleString("import inside; print(sum(inside.answer() for _ in range(100)))");
    Py_Finalize();
    return status;
}
C
home=$("$path" -I -c 'import sys; print(sys.base_prefix)')
if ${CC:-cc} -no-pie -fno-pic -Wl,-z,noseparate-code -isystem "$include" -idirafter "$(dirname "$include")" \
    -o inside inside.c "$library" "-Wl,-rpath,$(dirname "$library")" 2> inside.log; then
    assert_eq "a definition that lies beside the code is changed and the code still runs [$label]" 4200 \
        "$(PYTHONHOME=$home shim "$TMP/inside.db" ./inside 2>&1)"
    settle "$TMP/inside.db"
    assert_eq "and its calls are counted" 100 "$(calls_of "$TMP/inside.db" method answer PyLong_FromLong)"
else
    skip "a definition beside the code" "the program cannot be built: $(tail -n 1 inside.log)"
fi

# The headers of the file to its end, 4 MiB behind everything; the loader reads them from there.
mkdir -p moved
"$PY" -I - "$library" "moved/$(basename "$library")" << 'PY'
import struct, sys
image = bytearray(open(sys.argv[1], "rb").read())
at, count = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]
headers = image[at:at + 56 * count]
image[at:at + 56 * count] = bytes(56 * count)
image += bytes(-len(image) % 4096 + (4 << 20))
struct.pack_into("<Q", image, 32, len(image))
open(sys.argv[2], "wb").write(image + headers)
PY
plain=$(LD_LIBRARY_PATH=$TMP/moved "$path" -c 'import json; print(json.dumps([1]))' 2>&1)
if [ "$plain" = '[1]' ]; then
    assert_eq "a libpython whose headers were moved runs as without [$label]" '[1]' \
        "$(LD_LIBRARY_PATH=$TMP/moved shim "$TMP/moved.db" "$path" -c 'import json; print(json.dumps([1]))' 2>&1)"
    settle "$TMP/moved.db"
    assert_match "and its objects are seen" '^[1-9]' "$(sql "$TMP/moved.db" "SELECT count(*) FROM frame WHERE lang = 'python'")"
else
    skip "moved program headers" "this libpython does not run so: $plain"
fi
