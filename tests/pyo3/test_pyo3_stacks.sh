#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# A PyO3 extension at KPROF_RATE=1, built with line tables and as a stripped wheel: Rust and Python
# frames stand in one stack as they called each other, threads that Python does not know keep theirs.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH=$here/../python_real
python=${KPROF_TEST_PYTHON:-/usr/bin/python3}

for build in tables wheel; do
    extension=$BUILD/pyo3/$build
    if [ ! -e "$extension/bridge.so" ]; then
        skip "stacks of a PyO3 extension [$build]" "not built: no cargo, or it could not get the crates (make bridges)"
        continue
    fi
    if ! PYTHONPATH=$extension "$python" -c 'import bridge' 2> import.err; then
        skip "stacks of a PyO3 extension [$build]" "$python cannot load it: $(tail -1 import.err)"
        continue
    fi
    db=$TMP/$build.db
    PYTHONPATH=$extension KPROF_RATE=1 KPROF_SPOOL_MAX=1G shim "$db" "$python" "$here/calls.py" 2> calls.err
    assert_eq "the program runs to its end [$build]" "0|" "$?|$(cat calls.err)"
    assert_whole "$build" "$db" && "$python" "$here/check_calls.py" "$db" "$build"
done
