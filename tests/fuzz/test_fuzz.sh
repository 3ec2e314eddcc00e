#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 150
# long-limit: 700
# Damaged and hostile spools and databases: whatever the bytes are, kprof-report and the collector
# say what is wrong in a line and leave the files alone. The seeds are made on the spot, by our own
# writers and by recording a program. KPROF_FUZZ_SEED repeats a run; it is printed.
. "$(dirname "$0")/../lib.sh"

SECONDS_EACH=30
[ "$LONG" = 1 ] && SECONDS_EACH=300
SEED=${KPROF_FUZZ_SEED:-$(date +%s)}
KEPT=$BUILD/fuzz/findings # outlives the test's own directory
mkdir -p "$KEPT"
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    TMPDIR=$(mktemp -d /dev/shm/kprof-fuzz.XXXXXX) # inputs are written a thousand times
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi

# Without a collector beside it, the library leaves the spool.
a_recording()
{
    mkdir -p alone
    cp "$SHIM" alone/libkprof.so
    LD_PRELOAD=$TMP/alone/libkprof.so KPROF_DB=$TMP/real.db KPROF_RATE=64 KPROF_SPOOL_MAX=1M \
        /bin/sh -c 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); done; ls / > /dev/null' 2> /dev/null
    [ -e real.db-spool ]
}

fuzz() # name, recording...: the fuzzer itself prints a line for each old finding
{
    local name=$1 said status
    shift
    said=$("$BUILD/fuzz/fuzz_$name" --seconds $SECONDS_EACH --seed "$SEED" --save "$KEPT" "$@" 2>&1)
    status=$?
    grep -E '^(ok|not ok) - ' <<< "$said"
    if [ $status = 0 ]; then
        ok "a damaged $name is told in a line and left alone (seed $SEED, $(tail -1 <<< "$said"))"
    else
        not_ok "a damaged $name is told in a line and left alone (seed $SEED)" "$(grep -v '^ok - ' <<< "$said")"
    fi
}

recordings=()
if a_recording; then
    recordings=("$TMP/real.db")
else
    not_ok "there is a real recording to damage" "no spool was left"
fi
fuzz database "${recordings[@]}"
fuzz spool "${recordings[@]}"
