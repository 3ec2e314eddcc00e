#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# long-limit: 900
# The collector killed at random moments while the program goes on: the program does not notice,
# kprof-report finishes what is in the spool, nothing is missing and nothing counts twice.
. "$(dirname "$0")/lib_logger.sh"

rounds=10
[ "$LONG" = 1 ] && rounds=100
RANDOM=$$
killed=0
for round in $(seq $rounds); do
    db=$TMP/collector-$round.db
    start_logger "$db" log 1.2 exit
    if wait_for 5 collector_of "$db" > /dev/null; then
        sleep "$(awk -v r=$RANDOM 'BEGIN { printf "%.3f", r / 32768 }')"
        pid=$(collector_of "$db") && kill -KILL "$pid" && killed=$((killed + 1))
    fi
    wait "$logger"
    status=$? label="collector killed, round $round"
    [ $status = 0 ] || not_ok "the program does not notice [$label]" "exit status $status"
    assert_nothing_missing "$label" "$db" log 1000
    all=$("$BUILD/tools/show_log" log | awk -F'|' '$4 > 0 { n++; b += $4 } END { printf "%d|%d", n, b }')
    assert_eq "nothing counts twice [$label]" "$all" \
        "$(under "$db" logged_block allocated_count)|$(under "$db" logged_block allocated_bytes)"
done
assert_range "the collector was there to be killed" $((rounds / 2)) $rounds $killed
