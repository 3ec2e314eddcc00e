#!/bin/bash
# SPDX-License-Identifier: MIT
# Unusual stacks: the smallest threads there are, coroutines, 20,000 frames of recursion. The library
# must not overflow a small stack, and a stack that it cuts is told as cut.
. "$(dirname "$0")/../lib.sh"

for way in small coroutines deep; do
    for rate in 1 auto; do
        db=$TMP/$way-$rate.db
        KPROF_DB=$db KPROF_RATE=$rate self_checking "$way, rate $rate" env LD_PRELOAD="$SHIM" "$T/odd_stacks" $way
        assert_whole "$way, rate $rate" "$db"
    done
done
db=$TMP/small-1.db
# 100 threads, 100 rounds, 6 blocks in each (depth 20, 16 .. 0)
assert_eq "every block of the small threads is recorded, with its stack" 60000 "$(under "$db" small_thread allocated_count)"
db=$TMP/coroutines-1.db
assert_eq "every block of the coroutines is recorded, with its stack" 25000 "$(under "$db" coroutine allocated_count)"
db=$TMP/deep-1.db
assert_eq "every block in the deep recursion is recorded" 105 "$(under "$db" down allocated_count)"
assert_range "frames beyond the limit of depth are counted as cut" 1 1000000000 \
    "$(sql "$db" 'SELECT cut_frames FROM process')"
