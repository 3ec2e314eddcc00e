#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# Where the time of a small PyO3 program goes, called once per process and many times in one process:
# start-up, imports, cold and warm are told apart and add up to the wall time.
. "$(dirname "$0")/lib_real.sh"

extension=$BUILD/pyo3/tables
if ! PYTHONPATH=$extension "$PYTHON" -c 'import bridge' 2> import.err; then
    skip "phases of a PyO3 program" "$(tail -1 import.err) (make bridges)"
    exit 0
fi
for case in "15 1" "3 1000" "3 4000"; do
    # shellcheck disable=SC2086 # two arguments
    "$PYTHON" "$REAL/run_phased.py" "$BUILD" "$extension" $case 2>&1
done
