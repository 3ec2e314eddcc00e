#!/bin/bash
# SPDX-License-Identifier: MIT
# The disk becomes full (a tmpfs of 4 MiB): the program does not notice, kprof-report says one
# clear line, and when there is room again everything that was in the spool can be had.
. "$(dirname "$0")/lib_logger.sh"

mkdir small
if ! mount -t tmpfs -o size=4M kprof-test small 2> mount.txt; then
    skip "a full disk" "no tmpfs can be mounted: $(cat mount.txt)"
    exit 0
fi
trap 'umount "$TMP/small"' EXIT
db=$TMP/small/full.db

# Full from the first moment: there is no room for a spool.
dd if=/dev/zero of=small/filler bs=64K 2> /dev/null
LD_PRELOAD=$SHIM KPROF_DB=$TMP/small/none.db KPROF_RATE=1 KPROF_QUIET=0 "$T/mix" 1 > out.txt 2> err.txt
assert_eq "full from the start: the program does not notice" "0|2" "$?|$(grep -c '^ok' out.txt)"
assert_eq "full from the start: one line says so" 1 "$(lines_of err.txt)"
rm -f small/*

# Full in the middle: collector and spool compete for the last byte of 1.5 MiB.
dd if=/dev/zero of=small/filler bs=64K count=40 2> /dev/null
LD_PRELOAD=$SHIM KPROF_DB=$db KPROF_RATE=1 "$T/logger" "$TMP/log" 2 exit > out.txt 2> err.txt
assert_eq "full in the middle: the program does not notice" "0|done" "$?|$(cat out.txt)"
assert_range "the disk was full" 95 100 "$(df --output=pcent small | tail -1 | tr -d ' %')"
"$REPORT" "$db" > report.txt 2> said.txt
status=$?
if [ $status != 0 ]; then
    assert_eq "kprof-report says one line when it cannot finish" "1|1" "$status|$(lines_of said.txt)"
    assert_match "and what is the matter" 'full|space|room' "$(cat said.txt)"
fi
mount -o remount,size=256M small
settle "$db" || not_ok "with room again it can be finished" "$(cat "$db.said")"
truth=$("$BUILD/tools/show_log" log | awk -F'|' '$4 > 0' | wc -l)
assert_range "samples + lost = truth, and a few of the C library's own" "$truth" $((truth + 30)) \
    "$(sql "$db" 'SELECT sum(samples + lost_samples + lost_nested) FROM process')"
assert_eq "the samples are in the database" "$(sql "$db" 'SELECT sum(samples) FROM process')" "$(sql "$db" 'SELECT sum(samples) FROM site')"
