#!/bin/sh
# SPDX-License-Identifier: MIT
# `make demo-pyo3`: profiles the engine the way a user would and prints what its conversions cost:
# every way of crossing the bridge side by side, with what kprof advises. Then the chunks again, read
# by a build against the stable ABI.
# usage: demo_engine.sh BUILD [PYTHON]
set -eu
build=$(cd "$1" && pwd)
python=${2:-python3}
engine=$(cd "$(dirname "$0")" && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
if [ ! -e "$build/examples/pyo3-engine/release/pyo3_engine.so" ]; then
    echo "demo-pyo3: the engine is not built (cargo must reach the registry of crates once)" >&2
    exit 1
fi

# orjson, for the ways by JSON. Where pip cannot get it, Python's own json does.
if ! { "$python" -m venv "$here/venv" && "$here/venv/bin/pip" install -q -r "$engine/requirements.txt"; } > "$here/pip.log" 2>&1; then
    echo "orjson could not be installed: the ways by JSON use Python's own json"
else
    python=$here/venv/bin/python
fi
cd "$here"
ln -s "$engine/app.py" app.py
show() { printf '\n$ %s\n' "$*"; }

show "LD_PRELOAD=libkprof.so KPROF_DB=engine.db python app.py"
PYTHONPATH=$build/examples/pyo3-engine/release LD_PRELOAD=$build/libkprof.so KPROF_DB=engine.db "$python" app.py
show "kprof-report engine.db conversions --top 30"
"$build/kprof-report" engine.db conversions --top 30

if [ -e "$build/examples/pyo3-engine/abi3/pyo3_engine.so" ]; then
    show "LD_PRELOAD=libkprof.so KPROF_DB=abi3.db python app.py receive_chunks        built with the feature abi3"
    PYTHONPATH=$build/examples/pyo3-engine/abi3 LD_PRELOAD=$build/libkprof.so KPROF_DB=abi3.db "$python" app.py receive_chunks
    show "kprof-report abi3.db conversions"
    "$build/kprof-report" abi3.db conversions
fi
