#!/bin/sh
# SPDX-License-Identifier: MIT
# `make demo`: profiles the examples the way a user would and prints what he would read: first the
# Python service with its C extension, then the native program.
# usage: demo.sh BUILD [PYTHON]
set -eu
build=$(cd "$1" && pwd)
python=${2:-python3}
examples=$(cd "$(dirname "$0")" && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
run() { printf '\n$ %s\n' "$1"; shift; "$@"; }
title() { printf '\n== %s\n' "$1"; }

if [ -e "$build/examples/python-c/orders.so" ]; then
    title "examples/python-c: a Python service with a C extension; it leaks on both sides"
    ln -s "$examples/python-c/app.py" app.py
    export PYTHONPATH="$examples/../python:$build/examples/python-c"
    run "LD_PRELOAD=libkprof.so KPROF_DB=orders.db python3 app.py" \
        env LD_PRELOAD="$build/libkprof.so" KPROF_DB=orders.db "$python" app.py
    run "kprof-report orders.db" "$build/kprof-report" orders.db
    run "kprof-report orders.db sites --sort live --top 4" "$build/kprof-report" orders.db sites --sort live --top 4
else
    title "examples/python-c is left out: no headers of $python (Debian: python3-dev)"
fi

title "examples/ledger.c: a native program"
run "LD_PRELOAD=libkprof.so KPROF_DB=ledger.db ./ledger" \
    env LD_PRELOAD="$build/libkprof.so" KPROF_DB=ledger.db "$build/examples/ledger"
run "kprof-report ledger.db" "$build/kprof-report" ledger.db

title "examples/fragment: long-lived blocks among short ones; hardly any memory can be given back"
run "LD_PRELOAD=libkprof.so KPROF_DB=fragment.db KPROF_RATE=4K ./fragment" \
    env LD_PRELOAD="$build/libkprof.so" KPROF_DB=fragment.db KPROF_RATE=4K "$build/examples/fragment/fragment"
run "kprof-report fragment.db fragmentation" "$build/kprof-report" fragment.db fragmentation
