#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# Modules that Cython and pybind11 have made: every call counted, pybind11's functions under their
# own names, Cython's for the module; and they behave as without kprof.
. "$(dirname "$0")/lib_conversions.sh"

IFS=$'\t' read -r label path < <(pick_python '3\.11\..* static')
[ -n "${path:-}" ] || { skip "Cython and pybind11" "no static Python 3.11 here"; exit 0; }
venv=$("$ROOT/tests/venv.sh" "$path" bindings cython==3.0.12 pybind11==2.13.6 2> venv.err) ||
    { skip "Cython and pybind11" "cannot be installed: $(tail -1 venv.err | head -c 200)"; exit 0; }
include=$("$path" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
folder=$BUILD/conversions/packages
mkdir -p "$folder"
export PYTHONPATH=$folder

made() # module, source: from the newer of both
{
    [ "$folder/$1.so" -nt "$CONVERSIONS/$2" ]
}

made cymod cymod.pyx || {
    "$venv/bin/cython" -3 -o "$folder/cymod.c" "$CONVERSIONS/cymod.pyx" &&
        ${CC:-cc} -O1 -fPIC -shared -isystem "$include" -o "$folder/cymod.so" "$folder/cymod.c"
} > cython.log 2>&1 || skip "Cython" "$(tail -1 cython.log)"
made pbmod pbmod.cc || ${CXX:-c++} -std=c++17 -O1 -fPIC -shared -fvisibility=hidden -isystem "$include" \
    -isystem "$("$venv/bin/python" -c 'import pybind11; print(pybind11.get_include())')" \
    -o "$folder/pbmod.so" "$CONVERSIONS/pbmod.cc" > pybind11.log 2>&1 || skip "pybind11" "$(tail -1 pybind11.log)"

if [ -e "$folder/cymod.so" ]; then
    for times in 1 1000 32000; do
        rm -f cython.db*
        shim "$TMP/cython.db" "$path" "$CONVERSIONS/oracle.py" cymod $times 2
        settle "$TMP/cython.db"
        for api in PyDict_New PyDict_SetItem PyBytes_FromStringAndSize PyLong_FromUnsignedLong; do
            got=$(calls_of "$TMP/cython.db" module % $api)
            # The module itself makes some at import: as many as with nothing to make.
            shim "$TMP/none.db" "$path" "$CONVERSIONS/oracle.py" cymod 0 2
            settle "$TMP/none.db"
            assert_eq "Cython: $api is counted for the module, $times times in two threads [$label]" $((2 * times)) \
                $((got - $(calls_of "$TMP/none.db" module % $api)))
            rm -f none.db*
            [ $times = 1000 ] || break
        done
    done
    cat > cython.py << 'PY'
import cymod
class Child(cymod.Base):
    def area(self):
        return 10
print(cymod.Base().twice(), Child().twice(), cymod.make(2), cymod.Base.area.__name__, type(cymod.make).__name__)
PY
    "$path" cython.py > plain.txt 2>&1
    shim "$TMP/behave.db" "$path" cython.py > with.txt 2>&1
    assert_same_file "Cython: overridden methods and names are as without kprof [$label]" plain.txt with.txt
fi

if [ -e "$folder/pbmod.so" ]; then
    for times in 1 1000 32000; do
        rm -f pybind.db*
        shim "$TMP/pybind.db" "$path" "$CONVERSIONS/oracle.py" pbmod $times 2
        settle "$TMP/pybind.db"
        for api in PyDict_New PyDict_SetItem PyBytes_FromStringAndSize PyLong_FromUnsignedLong; do
            assert_eq "pybind11: $api is counted for make, $times times in two threads [$label]" $((2 * times)) \
                "$(calls_of "$TMP/pybind.db" method make $api)"
        done
    done
    cat > pybind.py << 'PY'
import pbmod, inspect
try:
    pbmod.fail(3)
except ValueError as error:
    print(error)
print(pbmod.Shape(3).area(), pbmod.make(2), pbmod.make.__doc__, pbmod.Shape.area.__doc__, pbmod.make.__name__)
try:
    pbmod.make("x")
except TypeError as error:
    print(error)
del pbmod.make
PY
    "$path" pybind.py > plain.txt 2>&1
    shim "$TMP/behave2.db" "$path" pybind.py > with.txt 2>&1
    assert_same_file "pybind11: exceptions, results and documentation are as without kprof [$label]" plain.txt with.txt
    settle "$TMP/behave2.db"
    assert_eq "pybind11: each function is an entry by its name [$label]" "area
fail
make" "$(sql "$TMP/behave2.db" "SELECT DISTINCT name FROM entry WHERE kind = 'method' AND name IN ('make', 'fail', 'area') ORDER BY 1")"
fi
