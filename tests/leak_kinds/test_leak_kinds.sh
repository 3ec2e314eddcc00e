#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 180
# long-limit: 1800
# What grows is named by its right kind and place: an allocator of an extension's own, mappings,
# threads, references forgotten in C and Rust, a dictionary; and RSS that grows while the heap is
# flat is no leak. Default settings, whole programs: leak_kinds.py and kinds.c.
. "$(dirname "$0")/../python/lib_python.sh"
KINDS=$ROOT/tests/leak_kinds
# A machine that has much else to do leaves few samples: "not enough evidence" is then an honest answer,
# and asked again.
TRIES=3
RUNS=1
[ "$LONG" = 1 ] && RUNS=20

EXTENSION=$(extension_for "$PY" "$KINDS/kinds.c") || { skip "kinds of leaks" "the extension cannot be built"; exit 0; }
export PYTHONPATH=$ROOT/python:$EXTENSION:$BUILD/examples/pyo3-engine/release PYTHONDONTWRITEBYTECODE=1

kind() # what, kind, expected line (a regular expression), expected text, argument...
{
    local what=$1 kind=$2 expected=$3 text=$4 run said wrong=0 unsure=0
    shift 4
    for ((run = 1; run <= RUNS; run++)); do
        shim "$TMP/$kind.db" timeout 60 "$PY" "$KINDS/leak_kinds.py" "$kind" 1000 "$@" 2> err.txt ||
            { not_ok "$what" "it does not run: $(tail -1 err.txt)"; return; }
        said="$("$REPORT" "$TMP/$kind.db" leaks --json 2>&1 | "$PY" "$KINDS/read_leaks.py" 2>&1)"
        "$REPORT" "$TMP/$kind.db" leaks | tr -s '\n ' ' ' > text.txt
        rm -f "$TMP/$kind.db"
        grep -qE "^$expected\$" <<< "$said" && grep -qE "$text" text.txt && continue
        if [[ $said == "not enough evidence|"* ]] && [ $((unsure += 1)) -lt $((TRIES + RUNS / 10)) ]; then
            run=$((run - 1))
            continue
        fi
        wrong=$((wrong + 1))
        echo "$said; $(head -c 300 text.txt)" > "wrong.$kind"
    done
    if [ $wrong = 0 ]; then ok "$what [$kind, $RUNS of $RUNS runs, $unsure with too little evidence]"; else not_ok "$what [$kind]" "not in $wrong of $RUNS runs: $(cat "wrong.$kind")"; fi
}

leak='(probable )?leak\|[a-z]*'
kind "a leak in an extension's own arenas" own_allocator \
    "$leak\|native\|leak_kinds.py:[0-9]+ own_allocator -> kinds.c:[0-9]+ arena_take\|kinds.so" '^It (probably )?leaks: (5|6)[0-9]\.[0-9] KB per iteration'
kind "mappings that are never given back" mapping \
    "leak\|[a-z]*\|native\|leak_kinds.py:[0-9]+ mapping -> kinds.c:[0-9]+ leak_mapping\|kinds.so" '^It leaks: 6[0-9]\.[0-9] KB per iteration'
kind "mappings of Python's mmap" python_mapping "leak\|[a-z]*\|python\|leak_kinds.py:[0-9]+ python_mapping.*" '^It leaks: (5|6|7)[0-9]\.[0-9] KB'
threads='stacks of threads, [0-9.]+ [KM]B of what is called other: they do not end, or nobody joins them'
kind "threads that nobody joins" unjoined_thread \
    "((probable )?leak\|threads\|native\|leak_kinds.py:[0-9]+ unjoined_thread -> kinds.c:[0-9]+ leak_thread -> .*pthread_create.*\|kinds.so|no leak\|threads)" \
    "$threads.* leak_kinds.py:[0-9]+ unjoined_thread|leak_kinds.py:[0-9]+ unjoined_thread.* $threads"
kind "threads that never end" waiting_thread "(probable )?leak\|threads\|python\|leak_kinds.py:[0-9]+ waiting_thread.*" "$threads"
kind "a reference forgotten in C" reference "$leak\|bridge\|leak_kinds.py:[0-9]+ reference -> kinds.c:[0-9]+ digits\|kinds.so" ''
kind "a dictionary that grows for ever" dictionary "$leak\|python\|leak_kinds.py:[0-9]+ (dictionary|Order.__init__)\|" ''
if [ -e "$BUILD/examples/pyo3-engine/release/pyo3_engine.so" ]; then
    kind "a Py<T> forgotten in Rust" rust_handle "$leak\|bridge\|leak_kinds.py:[0-9]+ rust_handle -> .*\|pyo3_engine.so" ''
else
    skip "a Py<T> forgotten in Rust" "examples/pyo3-engine is not built here"
fi
mimalloc=$(find /usr/lib /usr/local/lib -name 'libmimalloc.so.2*' 2> /dev/null | sort | head -1)
if [ -n "$mimalloc" ]; then
    kind "a leak behind an allocator that an extension brings" bundled_allocator "no leak\|own allocator" \
        "^What grows is mapped by an allocator of an extension's own, by [23][0-9]\.[0-9] KB per iteration.* % of it is in libmimalloc\.so\.2[^ ]*, which has mimalloc built in.* Mapped at leak_kinds.py:[0-9]+ bundled_allocator" "$mimalloc"
else
    skip "a leak behind an allocator that an extension brings" "no libmimalloc.so.2 here"
fi
held='^No leak: what grows is free memory that the allocator keeps, by ([5-9][0-9]\.[0-9]|1[0-4][0-9]) KB per iteration.* next: kprof-(ab -- |report [^ ]* fragmentation)'
kind "pools of Python that single objects hold" pymalloc_holes "no leak\|held by the allocator" "$held"
kind "holes of glibc that single blocks hold" glibc_holes "no leak\|held by the allocator" "$held"
kind "holes in the arenas of a service's threads" arena_holes "no leak\|held by the allocator" "$held"
