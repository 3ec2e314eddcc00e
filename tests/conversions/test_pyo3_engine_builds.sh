#!/bin/bash
# SPDX-License-Identifier: MIT
# long-limit: 1800
# The calls of known records, counted to the unit whatever the engine is built like (debug, release,
# which has the legacy mangling, stripped LTO, v0 mangling, abi3) and whatever Python runs it; and the advice against abi3 below
# 3.10, which makes a temporary object of each string. In long mode: each build takes cargo a minute.
. "$(dirname "$0")/lib_engine.sh"
[ "$LONG" = 1 ] || { skip "builds of a PyO3 engine" "in long mode (make check-long)"; exit 0; }
need "builds of a PyO3 engine" cargo || exit 0
python=${KPROF_TEST_PYTHON:-/usr/bin/python3}

# A build and its folder; what is there already is only brought up to date.
build() # name, RUSTFLAGS, cargo's options...
{
    local name=$1 flags=$2 target=$ROOT/build/cargo-engine/$1 profile=release
    shift 2
    [[ " $* " == *" --profile wheel "* ]] && profile=wheel
    [[ " $* " == *" --release "* || $profile = wheel ]] || profile=debug
    MAKEFLAGS='' RUSTFLAGS=$flags PYO3_PYTHON=$python cargo build --quiet --locked --manifest-path "$EXAMPLE/Cargo.toml" \
        --target-dir "$target" "$@" > "$name.log" 2>&1 || { skip "the build $name" "$(grep -m 1 -i error "$name.log")"; return 1; }
    mkdir -p "$TMP/$name"
    cp "$target/$profile/libpyo3_engine.so" "$TMP/$name/pyo3_engine.so"
}

exact_everywhere() # name
{
    local name=$1 label path
    while IFS=$'\t' read -r label path; do
        PYTHONPATH=$TMP/$name "$path" -c 'import pyo3_engine' 2> /dev/null || continue
        for times in 1 1000 32000; do
            known_calls_are_exact "$name, $label" "$TMP/$name" "$path" $times 0
        done
        known_calls_are_exact "$name, $label" "$TMP/$name" "$path" 32000 2
    done < <(list_pythons | grep -E "$2")
}

build debug "" && exact_everywhere debug '^3\.11\.'
build release "" --release && exact_everywhere release '^3\.11\.'
build wheel "" --profile wheel && exact_everywhere wheel '^3\.11\.'
nm release/pyo3_engine.so | grep ' _ZN.*17h' > legacy.txt || skip "legacy mangling" "this rustc does not make it any more"
build v0 "-C symbol-mangling-version=v0" --release && exact_everywhere v0 '^3\.11\.'
build abi3 "" --release --features abi3 && exact_everywhere abi3 '^3\.(9|10|11|12|13|14)\.'

[ -e release/pyo3_engine.so ] && [ -e abi3/pyo3_engine.so ] || exit 0
export KPROF_RATE=4K
temporaries()
{
    report_on "$TMP/abi3" "$python" "$EXAMPLE/app.py" --times 20 receive_chunks && mv report.json abi3.json
    report_on "$TMP/release" "$python" "$EXAMPLE/app.py" --times 20 receive_chunks
    python3 "$CONVERSIONS/check_engine.py" abi3.json temporaries report.json
}
temporaries
