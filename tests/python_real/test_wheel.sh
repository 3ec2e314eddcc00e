#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# Stripped PyO3 wheels from PyPI: of the bytes whose stack has frames of the extension, 99 % have a
# name, a file or a label in each of them, and no byte is without a stack.
. "$(dirname "$0")/lib_real.sh"

venv wheels 'pydantic_core==2.41.5' 'orjson==3.11.4' || exit 0
for wheel in pydantic_core orjson; do
    db=$TMP/$wheel.db
    KPROF_RATE=1 KPROF_SPOOL_MAX=1G shim "$db" timeout 60 "$VENV/bin/python" "$REAL/use_wheel.py" $wheel 2> err
    assert_eq "runs to its end [$wheel]" "0|" "$?|$(cat err)"
    assert_whole "$wheel" "$db" && "$PYTHON" "$REAL/check_wheel.py" "$db" $wheel
done
