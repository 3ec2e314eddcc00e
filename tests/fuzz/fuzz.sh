#!/bin/bash
# SPDX-License-Identifier: MIT
# `make fuzz`: both fuzzers at once for FUZZ_SECONDS, by libFuzzer where clang has built it. What
# they find stays in the build directory.
#
# usage: tests/fuzz/fuzz.sh BUILD
set -u
BUILD=$1
FUZZ_SECONDS=${FUZZ_SECONDS:-600}
KEPT=$BUILD/fuzz/findings
if [ -d /dev/shm ] && [ -w /dev/shm ]; then TMPDIR=$(mktemp -d /dev/shm/kprof-fuzz.XXXXXX); else TMPDIR=$(mktemp -d); fi
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

fuzz() # name
{
    mkdir -p "$KEPT"
    if [ -x "$BUILD/libfuzzer/fuzz_$1" ]; then
        "$BUILD/libfuzzer/fuzz_$1" -max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=3000 \
            -max_len=2000000 -close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$KEPT/$1-" \
            2> "$TMPDIR/$1.said"
    else
        "$BUILD/fuzz/fuzz_$1" --seconds "$FUZZ_SECONDS" --seed "$(date +%s)" --save "$KEPT" > "$TMPDIR/$1.said" 2>&1
    fi
    local status=$?
    echo "== $1: status $status"
    if [ $status -eq 0 ]; then tail -8 "$TMPDIR/$1.said"; else grep -v "^#" "$TMPDIR/$1.said" | tail -40; fi
    return $status
}

fuzz spool &
spool=$!
fuzz database
result=$?
wait $spool || result=1
exit $result
