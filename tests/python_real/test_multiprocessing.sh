#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# Workers of multiprocessing: one database, each process named, and all of it there for the one that was
# killed, whichever way they were started.
. "$(dirname "$0")/lib_real.sh"
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX=$TMP/pycache # where a Python comes without compiled modules

for way in fork spawn forkserver; do
    db=$TMP/$way.db
    timeout 120 "$PYTHON" "$REAL/workers.py" $way pids # the modules are compiled afterwards
    KPROF_RATE=1 KPROF_SPOOL_MAX=1G shim "$db" timeout 120 "$PYTHON" "$REAL/workers.py" $way "$TMP/pids" 2> err
    assert_eq "runs to its end [$way]" "0|" "$?|$(cat err)"
    wait_for 60 ended "$db"
    assert_whole "$way" "$db" || continue
    assert_eq "every process is named, and its Python [$way]" 0 "$(unnamed "$db")"
    read -r -a pids < "$TMP/pids"
    found=$(for pid in "${pids[@]}"; do kept "$db" hold "$pid"; done | sort | uniq -c | tr -s ' ')
    assert_eq "what each worker keeps is exact, the killed one's too [$way]" " 3 100 1000100" "$found"
done
