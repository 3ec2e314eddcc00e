#!/bin/bash
# SPDX-License-Identifier: MIT
# The bound of the spool is reached because nobody empties it: the program goes on, what does not
# fit is counted, told in the summary, and samples + lost = truth. And with a stopped collector that
# goes on, and with none at all but room enough, when nothing is lost.
. "$(dirname "$0")/lib_logger.sh"

lost_and_found() { sql "$1" 'SELECT sum(samples + lost_samples + lost_nested), sum(lost_samples) > 0 FROM process'; }
in_log() { "$BUILD/tools/show_log" "$1" | awk -F'|' '$4 > 0' | wc -l | tr -d ' '; }

# A copy of the library alone finds no collector beside it.
mkdir alone
cp "$SHIM" alone/
for max in 1M 64M; do
    db=$TMP/alone-$max.db label="no collector, $max"
    rm -f log
    LD_PRELOAD=$TMP/alone/libkprof.so KPROF_DB=$db KPROF_RATE=1 KPROF_SPOOL_MAX=$max \
        "$T/logger" log 1 exit > out.txt 2> err.txt
    assert_eq "the program does not notice [$label]" "0|done" "$?|$(cat out.txt)"
    [ -e "$db-spool" ] || { skip "$label" "a collector was found (is kprof installed?)"; continue; }
    size=$(stat -c %s "$db-spool")
    [ $max = 1M ] && assert_range "the spool keeps to its bound [$label]" 1 1200000 "$(($(stat -c "%b * %B" "$db-spool")))"
    settle "$db" || not_ok "the recording can be finished [$label]" "$(cat "$db.said")"
    IFS='|' read -r total lost < <(lost_and_found "$db")
    truth=$(in_log log)
    if [ $max = 1M ]; then
        assert_eq "losses happened [$label]" 1 "$lost"
        assert_range "samples + lost = truth, and a few of the C library's own [$label]" "$truth" $((truth + 30)) "$total"
        assert_match "the summary tells the loss at its top [$label]" '[0-9,]+ .*lost|lost .*[0-9,]+' "$("$REPORT" "$db" 2>&1 | head -8)"
    else
        assert_eq "nothing is lost when there is room ($size bytes) [$label]" 0 "$lost"
        assert_nothing_missing "$label" "$db" log 1000
    fi
done

# A collector that stands still for a while and then goes on.
db=$TMP/stopped.db
rm -f log go
KPROF_DB=$db KPROF_RATE=1 KPROF_SPOOL_MAX=1M LD_PRELOAD=$SHIM "$T/logger" log 1 exit go > out.txt 2>&1 &
logger=$!
wait_for 5 collector_of "$db" > /dev/null
collector=$(collector_of "$db") || not_ok "a collector is at work" "there is none"
kill -STOP "$collector"
touch go
wait_for 3 test -s log
sleep 0.7
kill -CONT "$collector"
wait "$logger"
assert_eq "the program does not notice [stopped collector]" 0 $?
settle "$db" || not_ok "the recording can be finished [stopped collector]" "$(cat "$db.said")"
IFS='|' read -r total lost < <(lost_and_found "$db")
truth=$(in_log log)
assert_eq "losses happened while it stood still" 1 "$lost"
assert_range "samples + lost = truth [stopped collector]" "$truth" $((truth + 30)) "$total"
