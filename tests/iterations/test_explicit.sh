#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 180
# kprof.py: marks from Python, in loops, by decorators, from threads and in forked children; without
# the library it does nothing and loads nothing. A mark costs little. What a wrong or native
# KPROF_ITERATION says.
. "$(dirname "$0")/../python/lib_python.sh"

need "marks from Python" sqlite3 || exit 0
export PYTHONPATH=$ROOT/python PYTHONDONTWRITEBYTECODE=1
export PYTHONWARNINGS=ignore # 3.12 warns of fork() when a thread is not quite gone
PROGRAM=$ROOT/tests/iterations/explicit_program.py

explicit()
{
    local label=$1 python=$2 db=$TMP/explicit.db expected
    rm -f "$db"*
    expected=$("$python" "$PROGRAM" 2>&1)
    assert_match "without the library nothing happens, and ctypes stays out [$label]" '^[0-9]+ no-ctypes$' "$expected"
    assert_eq "nor where a session is in the environment but the library is not here [$label]" "${expected%% *}" \
        "$(KPROF_SESSION=/tmp/none "$python" "$PROGRAM" 2>&1 | cut -d' ' -f1)"
    shim "$db" "$python" "$PROGRAM" > out.txt 2>&1
    assert_eq "the program does the same [$label]" "${expected%% *} ctypes" "$(cat out.txt)"
    settle "$db"
    assert_eq "every mark counts, in the child too [$label]" "${expected%% *},7" \
        "$(sql "$db" "SELECT group_concat(n) FROM (SELECT max(iteration) AS n FROM mark GROUP BY process_id ORDER BY process_id)")"
}
while IFS=$'\t' read -r label path; do
    explicit "$label" "$path" < /dev/null
done < <(chosen_pythons minors)

# What it costs.
cat > cost.py << 'EOF'
import kprof, time
best = 1e9
for _ in range(20):
    before = time.perf_counter()
    for _ in range(20000):
        kprof.iteration()
    best = min(best, time.perf_counter() - before)
print(int(best / 20000 * 1e9))
EOF
shim "$TMP/cost.db" "$PY" cost.py > cost.txt
assert_range "a mark from Python takes less than 1.5 us (ns here)" 1 1500 "$(cat cost.txt)"
settle "$TMP/cost.db"

# By name, a million times; and what a program sees of it.
cat > named.py << 'EOF'
import sys
def step():
    pass
for _ in range(1000000):
    step()
tools = [sys.monitoring.get_tool(i) for i in range(6)] if hasattr(sys, "monitoring") else []
print(sorted(set(sys.modules) - {"atexit", "gc"}), [tool for tool in tools if tool not in (None, "kprof")])
EOF
"$PY" named.py > plain.txt
KPROF_ITERATION=__main__:step shim "$TMP/million.db" "$PY" named.py > ours.txt
assert_same_file "the program finds the same modules and tools, but for ours" plain.txt ours.txt
assert_whole "a million calls by name" "$TMP/million.db"
assert_eq "a million calls are a million marks" 1000000 "$(sql "$TMP/million.db" 'SELECT max(iteration) FROM mark')"

# A program that marks itself, and a name beside: the name counts once it is called, and else the marks.
cat > both.py << 'EOF'
import kprof
def step():
    pass
for _ in kprof.iterations(range(30)):
    step()
EOF
both() # name, what, expected: marks|a note
{
    KPROF_ITERATION=__main__:$1 shim "$TMP/both.db" "$PY" both.py
    settle "$TMP/both.db"
    assert_eq "$2" "$3" "$(sql "$TMP/both.db" "SELECT (SELECT max(iteration) FROM mark), (SELECT count(*) FROM note WHERE text LIKE '%not counted besides%')")"
    rm -f "$TMP/both.db"*
}
both step "a program that marks itself is not counted twice, and that is told" '30|1'
both stop "its marks count where the named function is never called" '30|0'

# Up to 3.11: somebody else takes the evaluation hook.
cat > displaced.py << 'EOF'
import ctypes
def step():
    pass
for _ in range(5):
    step()
api = ctypes.pythonapi
api.PyInterpreterState_Get.restype = ctypes.c_void_p
api._PyInterpreterState_SetEvalFrameFunc.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
api._PyInterpreterState_SetEvalFrameFunc(
    api.PyInterpreterState_Get(), ctypes.cast(api._PyEval_EvalFrameDefault, ctypes.c_void_p))
for _ in range(5):
    step()
EOF
old=$(pick_python '3\.(9|10|11)\.' | cut -f2)
if [ -n "$old" ]; then
    KPROF_ITERATION=displaced:step shim "$TMP/displaced.db" "$old" displaced.py
    settle "$TMP/displaced.db"
    assert_eq "what another library's evaluation hook hides is told" 1 \
        "$(sql "$TMP/displaced.db" "SELECT count(*) FROM note WHERE text LIKE '%evaluation hook%'")"
else
    skip "what another library's evaluation hook hides is told" "no Python before 3.12 here"
fi

# Values that can't be used.
wrong() # value
{
    local db=$TMP/wrong.db
    rm -f "$db"*
    KPROF_ITERATION=$1 shim "$db" "$PY" -c 'print(1)' > out.txt 2> err.txt
    assert_eq "KPROF_ITERATION='$1': the program runs, one line is said" "0|1|1" "$?|$(cat out.txt)|$(lines_of err.txt)"
    assert_eq "KPROF_ITERATION='$1': the line names it" \
        "kprof: KPROF_ITERATION=$1 cannot be used (it takes module:function); the default is used" "$(cat err.txt)"
    settle "$db"
}
wrong step
wrong :step
wrong app:
wrong app:a:b
wrong app.py:/step
wrong 'app:step()'
KPROF_ITERATION=libc.so.6:puts shim "$TMP/native.db" /bin/true > out.txt 2> err.txt
assert_match "a function of a native library: one line says what to do" \
    "^kprof: KPROF_ITERATION can't be used: .*kprof_iteration\(\)" "$(cat err.txt)"
settle "$TMP/native.db"
assert_match "and the report has it too" "not counted by name" "$(sql "$TMP/native.db" 'SELECT text FROM note')"
KPROF_ITERATION=app:step shim "$TMP/other.db" /bin/true > out.txt 2> err.txt
assert_eq "a program that is not the one that was meant says nothing" "" "$(cat err.txt)"
settle "$TMP/other.db"
assert_eq "and its report neither" "" "$(sql "$TMP/other.db" "SELECT text FROM note")"
