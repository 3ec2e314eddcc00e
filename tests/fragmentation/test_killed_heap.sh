#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 200
# A process that is killed with more free pieces in its heap than a snapshot may look at while the
# program runs: what is in use is estimated from the samples, and said to be; RSS is explained by
# what the collector has read from outside.
. "$(dirname "$0")/lib_heap.sh"

need "a killed heap" "$READER" sqlite3 || exit 0
CUT="SELECT count(*) FROM arena WHERE kind = 'glibc main' AND partial = 2"
BUILT="(SELECT max(size) FROM arena) * 0.2 > (SELECT live_malloc FROM snapshot ORDER BY number DESC LIMIT 1)"
READ="(SELECT mappings_s FROM snapshot ORDER BY number DESC LIMIT 1) > 0"

is_there() { [ "$(sql killed.db "SELECT ($CUT) > 1 AND $BUILT AND $READ" 2> /dev/null)" = 1 ]; }

killed() # rate
{
    rm -f killed.db*
    LD_PRELOAD=$SHIM KPROF_DB=killed.db KPROF_RATE=$1 HEADER=8 KPROF_SPOOL_MAX=1G \
        "$T/known_heap" 30000 stay > truth.txt 2> err.txt &
    local pid=$!
    wait_for 120 is_there || not_ok "there is a snapshot of the whole heap [$1]" "$(cat err.txt)"
    kill -KILL $pid
    wait $pid 2> /dev/null
    settle killed.db
    TRUTH=$(cat truth.txt)
    "$REPORT" killed.db fragmentation --json > heap.json
    assert_near "what is in use of a heap that was not read to its end [$1]" "$(truth in_use)" \
        "$(heap 'j["in_use"]')" "$2"
    assert_range "RSS of a killed process is explained [$1]" 0.95 1 \
        "$(heap '1 - j["rss"]["unexplained"] / j["rss"]["total"]')"
    assert_range "and no more than there is [$1]" 0.95 1.05 \
        "$(heap 'sum(v for k, v in j["rss"].items() if k != "total") / j["rss"]["total"]')"
    assert_eq "the planted line comes first [$1]" planted_block \
        "$(heap 'j["blame"][0]["stack"][0]["function"]')"
}

killed 1 2
killed 4K 8
assert_match "the estimate is told to be one" 'there were more free pieces than a' \
    "$("$REPORT" killed.db fragmentation | tr '\n' ' ')"
