#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# long-limit: 3000
# Leaks that were planted, through the whole chain: a Python program with an extension in C, default
# settings, a thousand rounds with warm-up, a full cache, sawtooth and noise; the same without a
# leak in ten shapes; and memory that only the allocators keep. A few runs each; 100 in the long
# tests, and 50 of each shape.
. "$(dirname "$0")/../python/lib_python.sh"

need "planted leaks" sqlite3 "${CC:-cc}" || exit 0
PYTHON=$PY # the system's: another may bring a C library of its own, whose cache we do not know
KEEPER=$(extension_for "$PYTHON" "$ROOT/tests/leaks/keeper.c")
[ -n "$KEEPER" ] || { skip "planted leaks" "no headers of Python here"; exit 0; }
export KEEPER PYTHONDONTWRITEBYTECODE=1
planted() { "$PY" "$ROOT/tests/leaks/planted.py" "$BUILD" "$PYTHON" "$1" "$TMP" "${@:2}"; }

if [ "$LONG" = 1 ]; then
    planted 100 native:1250 bridge:1250 python:1250 native:65536
    planted 50 clean
else
    planted 3 native:1250 bridge:1250 python:1250
    planted 1 clean
fi
planted 1 held
