#!/bin/bash
# SPDX-License-Identifier: MIT
# Every entry point behaves as the C library's: results, alignment, errno in success and failure,
# with every allocation sampled, with some and with none; and a block whose realloc failed stays
# recorded.
. "$(dirname "$0")/../lib.sh"

self_checking plain "$T/entries"
for rate in 1 100 auto 1G; do
    db=$TMP/entries-$rate.db
    KPROF_DB=$db KPROF_RATE=$rate self_checking "rate $rate" env LD_PRELOAD="$SHIM" "$T/entries"
    assert_whole "rate $rate" "$db"
done
db=$TMP/entries-1.db
assert_eq "a block whose realloc failed is still alive in the recording" "12345|1" \
    "$(under "$db" block_that_survives live_bytes)|$(under "$db" block_that_survives live_count)"
assert_eq "a failed call is no allocation" 12345 "$(under "$db" block_that_survives allocated_bytes)"
