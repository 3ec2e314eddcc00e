#!/bin/bash
# SPDX-License-Identifier: MIT
# long-limit: 400
# Allocation in signal handlers, and jumps out of them in the middle of whatever the library was
# doing: nothing hangs or breaks, nothing but what is counted as lost is missing, and sampling
# goes on afterwards. On an allocator that itself allows it.
. "$(dirname "$0")/../lib.sh"

seconds=1.5
[ "$LONG" = 1 ] && seconds=15
for way in handler jump altstack map; do
    for rate in 1 200; do
        db=$TMP/$way-$rate.db label="$way, rate $rate"
        behind=$T/lib/signal_safe.so
        [ $way = map ] && behind=
        KPROF_DB=$db KPROF_RATE=$rate SIGNAL_SAFE_LOG=$TMP/calls self_checking "$label" \
            env LD_PRELOAD="$SHIM${behind:+:$behind}" "$T/signals" $way $seconds
        settle "$db" || not_ok "the recording can be finished [$label]" "$(cat "$db.said")"
        [ $rate = 1 ] || continue
        assert_eq "sampling goes on when the storm is over [$label]" "5000|385000" \
            "$(under "$db" quiet_blocks live_count)|$(under "$db" quiet_blocks live_bytes)"
        if [ $way = handler ] || [ $way = altstack ]; then
            # A handler that comes between the countdown and its restart, some ten instructions, is
            # not counted: at most one allocation in ten thousand here.
            all=$(cat calls)
            assert_range "recorded and told as not recorded make up all allocations [$label]" $((all - all / 10000)) "$all" \
                "$(sql "$db" "SELECT samples + lost_samples + lost_nested FROM process")"
            assert_range "at most one in a hundred is not recorded [$label]" 0 0.01 \
                "$(sql "$db" "SELECT (lost_samples + lost_nested) * 1.0 / samples FROM process")"
        fi
    done
done
