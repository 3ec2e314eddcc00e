#!/bin/bash
# SPDX-License-Identifier: MIT
# long-limit: 600
# Counts are exact: what an extension asks of Python's C API, built with a PLT and with -fno-plt, on
# static and shared interpreters, once, a thousand and 32,000 times, in two threads at once; in
# forked children; in native threads; and when the process is killed.
. "$(dirname "$0")/lib_conversions.sh"

# For one struct: what pythonize makes of it, and the bytes.
expected() # how often, calls of make
{
    local n=$1
    cat << LIST
PyBytes_FromStringAndSize $n $((16 * n))
PyDict_New $((2 * n)) 0
PyDict_SetItem $((9 * n)) 0
PyFloat_FromDouble $n 0
PyList_Append $((5 * n)) 0
PyList_New $((2 * n)) 0
PyLong_AsLong $2 0
PyLong_FromLong $((3 * n)) 0
PyUnicode_FromStringAndSize $((14 * n)) $((51 * n))
LIST
}

count_on() # label, path
{
    local folder module times db=$TMP/counts.db
    folder=$(build_modules "$2") || { skip "exact counts [$1]" "the extension cannot be built: $(head -1 "$BUILD/conversions/${1// /-}"/*.log | head -c 200)"; return; }
    for module in convmod convnop; do
        for times in 1 1000 32000; do
            rm -f "$db"*
            PYTHONPATH=$folder shim "$db" "$2" "$CONVERSIONS/oracle.py" $module $times 2
            assert_eq "the program runs [$1 $module $times]" 0 $?
            settle "$db"
            expected $((2 * times)) 2 > expected.txt
            counts "$db" make > counted.txt
            assert_same_file "$times structs in each of two threads: every call is counted [$1 $module]" expected.txt counted.txt
            [ $times = 1000 ] || [ "$LONG" = 1 ] || [[ $1 == 3.11*static ]] || break
        done
    done
}
each_python count_on

IFS=$'\t' read -r label path < <(pick_python '3\.11\..* static')
[ -n "${path:-}" ] || { skip "counts of killed processes and threads" "no static Python 3.11 here"; exit 0; }
folder=$(build_modules "$path") || { skip "counts of killed processes and threads" "the extension cannot be built"; exit 0; }
export PYTHONPATH=$folder

shim "$TMP/killed.db" "$path" "$CONVERSIONS/oracle.py" convnop 1000 2 kill 2> /dev/null
settle "$TMP/killed.db"
expected 2000 2 > expected.txt
counts "$TMP/killed.db" make > counted.txt
assert_same_file "a process that is killed has lost no count [$label]" expected.txt counted.txt

shim "$TMP/forked.db" "$path" -c '
import os, convmod
convmod.make(10)
for _ in range(3):
    pid = os.fork()
    if not pid:
        convmod.make(100)
        os._exit(0)
    os.waitpid(pid, 0)
convmod.call(lambda: os.fork() or (convmod.make(100), os._exit(0)))
os.wait()
convmod.make(10)'
settle "$TMP/forked.db"
assert_eq "forked children count for themselves, also when forked inside of an entry [$label]" "100|200
100|200
100|200
100|200
20|40" "$(sql "$TMP/forked.db" "SELECT c.calls / 2, c.calls FROM conversion c JOIN entry e USING (process_id, entry)
    WHERE e.name = 'make' AND api = 'PyDict_New' ORDER BY c.calls DESC")"

shim "$TMP/native.db" "$path" -c 'import convnop; convnop.in_threads(50, 20)'
settle "$TMP/native.db"
assert_eq "native threads have an entry by their name, a call for each time they take the GIL [$label]" "thread|native-worker|100" \
    "$(sql "$TMP/native.db" "SELECT kind, name, calls FROM conversion JOIN entry USING (process_id, entry)
        WHERE api = 'entry_calls' AND kind = 'thread'")"
assert_eq "what they convert is counted there, all of it [$label]" 4000 "$(calls_of "$TMP/native.db" thread native-worker PyDict_New)"
assert_eq "they wait for the GIL each time, and hold it [$label]" "100|100" \
    "$(calls_of "$TMP/native.db" thread native-worker gil_wait)|$(calls_of "$TMP/native.db" thread native-worker gil_hold)"

shim "$TMP/sizes.db" "$path" -c '
import convmod
for _ in range(10):
    convmod.grow(351561)
for _ in range(10):
    convmod.shrink(5000)
convmod.lengths("abc", "\u00e4\u00f6\u00fc")
word = "\u20ac" * 100
convmod.lengths(word)
convmod.lengths(word)
convmod.Counter()()'
settle "$TMP/sizes.db"
assert_eq "bytes that were resized have their last size [$label]" 3515610 \
    "$(sql "$TMP/sizes.db" "SELECT sum(amount) FROM conversion JOIN entry USING (process_id, entry) WHERE name = 'grow'
        AND api IN ('PyBytes_FromStringAndSize', '_PyBytes_Resize')")"
assert_eq "also if it was in the object before it was asked for [$label]" 50000 \
    "$(sql "$TMP/sizes.db" "SELECT sum(amount) FROM conversion JOIN entry USING (process_id, entry) WHERE name = 'shrink'
        AND api IN ('PyBytes_FromStringAndSize', '_PyBytes_Resize')")"
assert_eq "made without a copy [$label]" 10 "$(calls_of "$TMP/sizes.db" method grow in_place)"
assert_eq "UTF-8 is as long as it is [$label]" 609 \
    "$(sql "$TMP/sizes.db" "SELECT sum(amount) FROM conversion WHERE api = 'PyUnicode_AsUTF8AndSize'")"
assert_eq "a string that keeps its UTF-8 is counted once, with its NUL [$label]" "2|308" \
    "$(sql "$TMP/sizes.db" "SELECT sum(calls), sum(amount) FROM conversion WHERE api = 'utf8_kept'")"
assert_eq "types are entered by their slots [$label]" "Counter.__call__|1
Counter.__new__|1" "$(sql "$TMP/sizes.db" "SELECT name, calls FROM conversion JOIN entry USING (process_id, entry)
    WHERE kind = 'slot' AND api = 'entry_calls' ORDER BY name")"

shim "$TMP/refused.db" "$path" -c '
import convmod, convnop
for _ in range(100):
    convmod.refused(10)
    numbers = (0.5, 1.5, 1, 2, 3, 4)
    arguments = ("first", 10, numbers)
    made = convnop.any_number(*arguments)
    pair = ("first", arguments) * 4 + ("first",)
    assert made == (0.5, 1, 2, 1.5, 3, 0.5, 1.5, 0.5, 1.5, 0.5, 1.5, 0.5, 4, pair), made'
assert_eq "what takes any number of arguments gets them all [$label]" 0 $?
settle "$TMP/refused.db"
assert_eq "calls that fail are calls, and no bytes or items [$label]" "PyByteArray_FromStringAndSize 1000 0
PyBytes_FromStringAndSize 3000 0
PyList_New 1000 0
PyLong_AsLong 100 0
PyTuple_New 1000 0
PyUnicode_FromStringAndSize 1000 0
PyUnicode_New 1000 0" "$(counts "$TMP/refused.db" refused)"
parse=$(nm -D "$folder/convnop.so" | grep -o '_*PyArg_ParseTuple.*') build=$(nm -D "$folder/convnop.so" | grep -o '_*Py_BuildValue.*')
assert_eq "and is counted [$label]" "PyTuple_Pack 1000 9000
$build 1000 0
$parse 100 0" "$(counts "$TMP/refused.db" any_number | LC_ALL=C sort -k2,2nr -k1,1)"

KPROF_CONVERSIONS=0 shim "$TMP/off.db" "$path" "$CONVERSIONS/oracle.py" convmod 10 1
settle "$TMP/off.db"
assert_eq "KPROF_CONVERSIONS=0: nothing is patched, nothing counted, and the report says so [$label]" "off|0|0" \
    "$(sql "$TMP/off.db" "SELECT state, patched_modules, (SELECT count(*) FROM conversion) FROM conversion_state")"
KPROF_CONVERSIONS_SKIP=other,convmod shim "$TMP/skip.db" "$path" -c 'import convmod, convnop; convmod.make(10); convnop.make(10)'
settle "$TMP/skip.db"
assert_eq "KPROF_CONVERSIONS_SKIP leaves out the modules that it names, and no others [$label]" 20 "$(calls_of "$TMP/skip.db" method % PyDict_New)"
