#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 150
# long-limit: 1500
# Killed with SIGKILL at random moments: all that the program's own log has is in the database after
# kprof-report, alive or freed; with the collector at work, killed too, or never started.
. "$(dirname "$0")/lib_logger.sh"

rounds=20
[ "$LONG" = 1 ] && rounds=200
RANDOM=$$
bad=0 compared=0 unfinished=0 text=
for round in $(seq $rounds); do
    db=$TMP/killed-$((round % 5)).db
    start_logger "$db" log 60 sleep
    sleep "$(awk -v r=$RANDOM 'BEGIN { printf "%.3f", 0.02 + r / 32768 }')"
    if [ $((round % 4)) = 0 ] && collector=$(collector_of "$db"); then kill -KILL "$collector" "$logger"; else kill -KILL "$logger"; fi
    wait "$logger" 2> /dev/null
    [ -e log ] || continue # killed before it began
    [ -e "$db-spool" ] && unfinished=$((unfinished + 1))
    if ! settle "$db"; then
        [ -s log ] && [ "$("$BUILD/tools/show_log" log | wc -l)" -gt 0 ] && bad=$((bad + 1)) text="round $round: $(cat "$db.said")"
        continue
    fi
    found=$(missing "$db" log)
    [ "${found%|*}" = "0|0|0" ] || bad=$((bad + 1)) text="$text round $round: $found"
    compared=$((compared + ${found##*|}))
done
assert_eq "killed at $rounds random moments: every allocation and free is in the database" 0 "$bad$text"
assert_range "it was at work when it was killed" $((rounds * 200)) 1000000000 "$compared"
assert_range "kprof-report had something to finish" $((rounds / 2)) $rounds "$unfinished"

# Sampled, the database must reach to the end as well.
RATE=4K
db=$TMP/sampled.db
start_logger "$db" log 60 sleep
sleep 1.5
kill -KILL "$logger"
wait "$logger" 2> /dev/null
settle "$db" || not_ok "the recording can be finished [killed, rate 4K]" "$(cat "$db.said")"
truth=$("$BUILD/tools/show_log" log | awk -F'|' '$4 > 0 { n += $4 } END { print n }')
assert_range "killed while sampling: allocated bytes are estimated within six deviations" -6 6 "$(sql "$db" \
    "SELECT (sum(allocated_bytes) - $truth) / sqrt(sum(allocated_bytes_var)) FROM v_sites WHERE stack_id IN (
        WITH RECURSIVE below(id) AS (SELECT k.id FROM stack k JOIN frame f ON f.location_id = k.location_id
            WHERE f.function = 'logged_block' UNION SELECT k.id FROM stack k JOIN below ON k.parent_id = below.id)
        SELECT id FROM below)")"
