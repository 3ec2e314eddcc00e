#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# long-limit: 3600
# Leaks that were planted, through the whole chain: a Python program with an extension in C, and with
# the PyO3 example, default settings, a thousand rounds with warm-up, a full cache, sawtooth and
# noise; the same without a leak in ten shapes; and memory that only the allocators keep. A few runs
# each; 100 in the long tests, and 50 of each shape: recordings are kept, and the next call goes on.
. "$(dirname "$0")/../python/lib_python.sh"

need "planted leaks" sqlite3 "${CC:-cc}" || exit 0
PYTHON=$PY # the system's: another may bring a C library of its own, whose cache we do not know
KEEPER=$(extension_for "$PYTHON" "$ROOT/tests/leaks/keeper.c")
[ -n "$KEEPER" ] || { skip "planted leaks" "no headers of Python here"; exit 0; }
export KEEPER PYTHONDONTWRITEBYTECODE=1
planted() { "$PY" "$ROOT/tests/leaks/planted.py" "$BUILD" "$PYTHON" "$TMP" "$@"; } # first seed, runs, variant...
PYO3=pyo3:1376 # the smallest request that the example makes
[ -e "$BUILD/examples/pyo3-engine/release/pyo3_engine.so" ] ||
    { skip "leaks planted in the PyO3 example" "examples/pyo3-engine is not built here"; PYO3=; }

KPROF_RATE=1 shim "$TMP/imports.db" "$PYTHON" -c \
    'import asyncio, decimal, email.message, http.client, json, logging, sqlite3, unittest, xml.dom.minidom'
settle "$TMP/imports.db"
assert_match "without marks, a program that hardly does more than import is not said to leak" \
    '^(No leak found|Not enough evidence).*start-up and imports' \
    "$("$REPORT" imports.db leaks < /dev/null | head -3 | tr -s '\n ' ' ')"

if [ "$LONG" = 1 ]; then
    export KPROF_PLANTED_KEPT=$BUILD/planted KPROF_PLANTED_UNTIL=$(($(date +%s) + ${KPROF_PLANTED_SECONDS:-3400}))
    FIRST=${KPROF_PLANTED_SEED:-50000} # rules that were settled on some seeds are judged by others
    planted "$FIRST" 100 native:1250 bridge:1250 python:1250 ${PYO3:+"$PYO3"} native:65536 native:100
    planted "$FIRST" 50 clean
else
    planted 0 3 native:1250 bridge:1250 python:1250 ${PYO3:+"$PYO3"}
    planted 0 1 clean
fi
planted 1 1 held
