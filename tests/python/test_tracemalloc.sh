#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 200
# At KPROF_RATE=1 the live bytes and blocks of each line agree with tracemalloc's: in one process
# with both at work (objects up to 512 bytes; the tables of tracemalloc come from malloc and are
# seen by kprof only), and in two runs of the same program (every size).
. "$(dirname "$0")/lib_python.sh"
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

both() # label, path
{
    local name=$TMP/${1// /-} program=$HERE/tracemalloc_program.py
    KPROF_RATE=1 shim "$name-traced.db" "$2" "$program" "$name.json" && KPROF_RATE=1 shim "$name-plain.db" "$2" "$program"
    assert_eq "the program ends well [$1]" 0 $?
    assert_whole "$1, traced" "$name-traced.db"
    assert_whole "$1" "$name-plain.db"
    "$PY" "$HERE/compare_tracemalloc.py" "$name-traced.db" "$name.json" "$1" objects ||
        not_ok "the comparison ends well [$1]" "see above"
    "$PY" "$HERE/compare_tracemalloc.py" "$name-plain.db" "$name.json" "$1" all ||
        not_ok "the comparison ends well [$1]" "see above"
    rm -f "$name"*
}

skip_missing_pythons tracemalloc
each_python both minors
