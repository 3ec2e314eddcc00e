#!/bin/sh
# SPDX-License-Identifier: MIT
# `make demo`: profiles examples/ledger the way a user would and prints what he would read.
set -eu
build=$(cd "$1" && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
run() { printf '\n$ %s\n' "$1"; shift; "$@"; }
run "LD_PRELOAD=libkprof.so KPROF_DB=ledger.db ./ledger" \
    env LD_PRELOAD="$build/libkprof.so" KPROF_DB=ledger.db "$build/examples/ledger"
run "kprof-report ledger.db" "$build/kprof-report" ledger.db
run "kprof-report ledger.db sites --sort live --top 3" "$build/kprof-report" ledger.db sites --sort live --top 3
