#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 400
# long-limit: 900
# KPROF_ITERATION counts every call of the function that it names, from the first one on: Python
# functions of every sort, methods, aliases, decorated ones, native functions; on every Python that
# is here. What can't be counted, or was never called, is told.
. "$(dirname "$0")/../python/lib_python.sh"

export PYTHONPATH=$ROOT/tests/iterations PYTHONDONTWRITEBYTECODE=1
PROGRAM=$ROOT/tests/iterations/named_program.py

# Runs are collected, then made as children of one shell: one recording. Each carries its number as
# the last argument, so that its rows are found. (Those that call nothing are a recording of their
# own: a process says nothing of it when another has called the function that it was told of.)
RUNS=0
run() # name, arguments...: to be recorded; its number is in $RUN
{
    RUN=$RUNS
    RUNS=$((RUNS + 1))
    printf '%s\0' "$@" > "run.$RUN"
}

record_all()
{
    DB=$TMP/named.db
    rm -f "$DB"*
    # shellcheck disable=SC2016
    shim "$DB" bash -c 'for ((i = 0; i < $2; i++)); do [ -e run.$i ] || continue
        mapfile -d "" -t words < run.$i
        KPROF_ITERATION=${words[0]} "$1" "${words[@]:1}" run=$i > out.txt 2> err.$i ||
            echo "$i: $(tail -3 err.$i)" >> failed.txt
        done' - "$PYTHON" $RUNS
    settle "$DB"
    rm -f run.*
    assert_eq "the programs run as without us [$LABEL]" "" "$(cat failed.txt 2> /dev/null)"
}

of_run() { echo "process_id IN (SELECT id FROM process WHERE argv LIKE '%\"run=$1\"]%')"; }
marks() { sql "$DB" "SELECT ifnull(group_concat(n), '') FROM (SELECT max(iteration) AS n FROM mark WHERE $(of_run "$1") GROUP BY process_id ORDER BY process_id)"; }
notes() { sql "$DB" "SELECT text FROM note WHERE text LIKE 'KPROF_ITERATION%' AND $(of_run "$1")"; }

# name, calls in the program and in the child that it forks
CALLS='named_program:step 20,6
named_program:Worker.step 5
__main__:times 50,1
named:early 10
named:Base.early 3
named:work 14
named.inner:work 15
named:silently 7
named:told 6
named:Base.static 1000
named:generator 5
named:coroutine 8
named:schön 13
named:outer.<locals>.inside 14
zlib:crc32 14
collections:deque.rotate 16'
MORE='named:cached 3
named:partial 14
named:bound 5
named:Derived.method 5
named:Base.method 5
named:Base 17
named:Base.__init__ 19
named:Base.__call__ 11
named:Base.of_class 12
named:Base.prop 5
named:Base.Nested.method 4
named:async_generator 4
named:recursive 11
named:failing 6
math:gcd 15'

counts() # list of calls
{
    local name expected
    while read -r name expected; do
        run "$name" "$PROGRAM"
        COUNTED+=("$RUN $name $expected")
    done <<< "$1"
}

check_counts()
{
    local number name expected wrong=
    for line in "${COUNTED[@]}"; do
        read -r number name expected <<< "$line"
        [ "$name" = __main__:times ] && expected=$(plain_calls)
        [ "$(marks "$number")" = "$expected" ] ||
            wrong+="$name: expected $expected, got $(marks "$number"); "
    done
    assert_eq "each call of ${#COUNTED[@]} names is one iteration, no more and no less [$LABEL]" "" "$wrong"
}

# The helper's own calls, counted by a profile function of Python itself.
plain_calls()
{
    "$PYTHON" - "$PROGRAM" 2> /dev/null << 'EOF'
import os, runpy, sys, threading
calls = 0
def count(frame, event, argument):
    global calls
    calls += event == "call" and frame.f_code.co_name == "times"
def in_child():
    global calls
    calls = 0
os.register_at_fork(after_in_child=in_child)
real_exit = os._exit
def report(status):
    os.write(2, b"")
    open("child.calls", "w").write(str(calls))
    real_exit(status)
os._exit = report
threading.setprofile(count)
sys.setprofile(count)
runpy.run_path(sys.argv[1], run_name="__main__")
sys.setprofile(None)
print(calls, open("child.calls").read(), sep=",")
EOF
}

unlike() # what, name, expected note (regular expression), arguments...
{
    run "$2" "${@:4}"
    UNLIKE+=("$RUN;$1;$3")
}

no_marks_but_a_note() # number of the run, what, note
{
    assert_eq "$2: nothing is marked [$LABEL]" "" "$(marks "$1")"
    assert_match "$2: a note says so [$LABEL]" "never called in this process; $3" "$(notes "$1")"
}

wrong_names()
{
    unlike "a wrong function" named:silentli 'did you mean named:silently\?' "$PROGRAM"
    unlike "a wrong function of the program" named_program:stepp \
        'did you mean named_program:step\?' "$PROGRAM"
    unlike "a wrong method" named:Base.metod 'did you mean named:Base.method\?' "$PROGRAM"
    unlike "a wrong module" namde:work 'did you mean named:work\?' "$PROGRAM"
    unlike "no such module" qqqqqqqqqq:work 'no module of that name was imported' "$PROGRAM"
    unlike "a function that is not called" json:dumps 'it is there' -c 'import json'
    unlike "an object" named:instance 'it is an object' "$PROGRAM"
    unlike "a class without __init__" named:Plain 'it is a class without' "$PROGRAM"
}

expect() # what, name, marks, arguments...
{
    run "$2" "${@:4}"
    EXPECTED+=("$RUN;$1;$3")
}

has_marks() { assert_eq "$2 [$LABEL]" "$3" "$(marks "$1")"; } # number of the run, what, marks

for_each() # check, "number;what;expected"...
{
    local number what expected line
    for line in "${@:2}"; do
        IFS=';' read -r number what expected <<< "$line"
        "$1" "$number" "$what" "$expected"
    done
}

ways_to_start()
{
    local three='def f(): pass
for i in range(3): f()'
    expect "python -m package, by the module's own name" named.__main__:step 7 -m named
    expect "python -m package, by the package's name" named:step 7 -m named
    expect "python -c" __main__:f 3 -c "$three"
    expect "without site" __main__:f 3 -S -I -c "$three"
}

each()
{
    LABEL=$1 PYTHON=$2 RUNS=0 COUNTED=() UNLIKE=() EXPECTED=()
    rm -f failed.txt
    counts "$CALLS"
    case "$LABEL" in
    3.9* | 3.11*static | 3.14*) LONG=1 ;;
    *) LONG=$LONG_WANTED ;;
    esac
    if [ "$LONG" = 1 ]; then
        counts "$MORE"
        ways_to_start
    fi
    record_all
    check_counts
    for_each has_marks ${EXPECTED[@]+"${EXPECTED[@]}"}
    [ "$LONG" = 1 ] || return
    wrong_names
    record_all
    for_each no_marks_but_a_note ${UNLIKE[@]+"${UNLIKE[@]}"}
}

LONG_WANTED=$LONG
need "iterations by name" sqlite3 || exit 0
while IFS=$'\t' read -r label path; do
    each "$label" "$path" < /dev/null
done < <(chosen_pythons minors)
skip_missing_pythons "iterations by name"
