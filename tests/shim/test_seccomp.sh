#!/bin/bash
# SPDX-License-Identifier: MIT
# A program under a seccomp filter that forbids exec: the collector cannot be started, the program
# runs as it would, the recording goes into the spool and kprof-report finishes it.
. "$(dirname "$0")/../lib.sh"

for way in eperm kill; do
    db=$TMP/$way.db
    "$T/seccomp_launch" $way "" "$T/mix" 2 > plain.txt
    status=$?
    [ $status = 77 ] && { skip "programs under seccomp [$way]" "no filter can be set here"; continue; }
    assert_eq "it runs without us [$way]" 0 $status
    KPROF_DB=$db KPROF_RATE=1 "$T/seccomp_launch" $way "$SHIM" "$T/mix" 2 > ours.txt 2> err.txt
    assert_eq "it ends well [$way]" 0 $?
    assert_same_file "it does the same [$way]" plain.txt ours.txt
    assert_eq "the filter worked: no collector has made a database [$way]" no \
        "$([ -e "$db" ] && [ ! -e "$db-spool" ] && echo yes || echo no)"
    assert_whole "$way" "$db"
    assert_eq "parent and child are complete [$way]" "2|6000|900000" \
        "$(sql "$db" 'SELECT count(*) FROM process')|$(under "$db" mixed_blocks live_count)|$(under "$db" mixed_blocks live_bytes)"
done
