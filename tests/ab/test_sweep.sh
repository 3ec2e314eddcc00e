#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# Sweeps on the worker pool of examples/bulk: a grid of two variables, the figures of each point, the
# bound that the longest job sets, failing jobs, memory per worker.
. "$(dirname "$0")/../python/lib_python.sh"
# shellcheck source=tests/ab/lib_ab.sh
. "$ROOT/tests/ab/lib_ab.sh"

need "sweeps" sqlite3 || exit 0
BULK=$ROOT/examples/bulk/bulk.py
export PYTHONDONTWRITEBYTECODE=1

SCALE=0.5 "$AB" --json --runs 2 -o sweep.db --sweep WORKERS=1,2 --sweep POOL=processes,threads -- "$PY" "$BULK" > sweep.json
point() { sqlite3 :memory: "SELECT json_extract(value, '\$.$2') FROM json_each(readfile('sweep.json'), '\$.sweep')
    WHERE json_extract(value, '\$.name') = '$1'"; }
assert_eq "two sweeps make a grid" "WORKERS=1 POOL=processes,WORKERS=2 POOL=processes,WORKERS=1 POOL=threads,WORKERS=2 POOL=threads" \
    "$(sqlite3 :memory: "SELECT group_concat(json_extract(value, '\$.name')) FROM json_each(readfile('sweep.json'), '\$.sweep')")"
assert_eq "as many workers as asked for have done the jobs" "1.0|2.0" \
    "$(sqlite3 sweep.db "SELECT group_concat(DISTINCT workers) FROM v_runs WHERE configuration = 'WORKERS=1 POOL=processes'")|$(
    sqlite3 sweep.db "SELECT max(workers) FROM v_runs WHERE configuration = 'WORKERS=2 POOL=processes'")"
assert_eq "six jobs a run, with their names" "archive,minutes,minutes-2,notes,report,slides" \
    "$(sqlite3 sweep.db "SELECT group_concat(name) FROM (SELECT name FROM job WHERE run_id = 1 ORDER BY name)")"
assert_eq "all succeed" 1 "$(point 'WORKERS=2 POOL=processes' success)"

# The arithmetic, from the raw figures of the database.
expected=$(sqlite3 sweep.db "SELECT sum(jobs_s) / sum(longest_job_s) FROM v_runs WHERE configuration = 'WORKERS=1 POOL=processes'")
actual=$(sqlite3 :memory: "SELECT json_extract(readfile('sweep.json'), '\$.scaling[0].job_bound')")
assert_range "the bound of the longest job is all jobs by that" "$(awk "BEGIN { print 0.95 * $expected }")" "$(awk "BEGIN { print 1.05 * $expected }")" "$actual"
[ "$KPROF_TEST_LONG" = 1 ] && # a timing: not for a machine with other work
    assert_range "it is near what the sizes of the documents say: 2.26" 1.9 2.7 "$actual"
speed_up=$(point 'WORKERS=2 POOL=processes' speed_up.value)
assert_eq "efficiency is speed-up by workers" "$(awk "BEGIN { printf \"%.2f\", $speed_up / 2 }")" \
    "$(awk "BEGIN { printf \"%.2f\", $(point 'WORKERS=2 POOL=processes' efficiency) }")"
serial=$(sqlite3 :memory: "SELECT json_extract(readfile('sweep.json'), '\$.scaling[0].serial_fraction')")
assert_eq "the serial fraction of two points is exact" "$(awk "BEGIN { printf \"%.2f\", 2 / $speed_up - 1 }")" "$(awk "BEGIN { printf \"%.2f\", $serial }")"
memory=$(sqlite3 :memory: "SELECT json_extract(readfile('sweep.json'), '\$.scaling[0].memory_per_worker')")
assert_range "a worker more takes memory of its own" 5000000 60000000 "$memory"

# The same as text: no figure is cut away, and each line of a grid says what it is of.
"$AB" -o sweep.db > sweep.txt
assert_eq "no column is cut" "1|0" "$(grep -c 'peak RSS$' sweep.txt)|$(grep -cF '...' sweep.txt)"
assert_eq "each series of the grid has its own lines" "with POOL=processes: with POOL=threads:" \
    "$(grep '^with' sweep.txt | tr '\n' ' ' | sed 's/ $//')"
assert_match "the next command" '^next: kprof-run .*bulk.py' "$(cat sweep.txt)"

# Jobs that fail, by an exception and by saying so; a variable that is no number of workers.
cat > fails.py << 'EOF'
import os, kprof
for i in range(8):
    try:
        with kprof.job("job %d" % i):
            if i % 4 == 0:
                raise ValueError
    except ValueError:
        pass
kprof.iteration("told", ok=False)
kprof.iteration("good")
EOF
PYTHONPATH=$ROOT/python "$AB" --json --runs 1 -o fails.db --sweep BATCH=1,32 -- "$PY" fails.py > fails.json
assert_eq "three of ten jobs fail" 0.7 "$(sqlite3 :memory: "SELECT json_extract(readfile('fails.json'), '\$.sweep[0].success')")"
assert_eq "and are named" "job 0,job 4,told" "$(sqlite3 fails.db "SELECT group_concat(name) FROM job WHERE failed AND run_id = 1")"
# (what kprof.job is to the recording: an iteration like any other)
PYTHONPATH=$ROOT/python shim jobs.db "$PY" fails.py
settle jobs.db
assert_eq "jobs count as iterations of a recording" 10 "$(sql jobs.db 'SELECT max(iteration) FROM mark')"
assert_eq "a batch size is no number of workers: nothing is said of scaling" "" \
    "$(sqlite3 :memory: "SELECT json_extract(readfile('fails.json'), '\$.scaling[0]')")"
