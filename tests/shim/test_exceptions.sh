#!/bin/bash
# SPDX-License-Identifier: MIT
# C++ exceptions and Rust panics that pass through hooked frames arrive where they should, also in
# a program that has its unwinder linked statically.
. "$(dirname "$0")/../lib.sh"

for target in exceptions exceptions_static panics; do
    need_target "exceptions through hooked frames [$target]" $target || continue
    for rate in 1 1000 auto; do
        db=$TMP/$target-$rate.db
        KPROF_DB=$db KPROF_RATE=$rate self_checking "$target, rate $rate" env LD_PRELOAD="$SHIM" "$T/$target"
        assert_whole "$target, rate $rate" "$db"
    done
done
if [ -e "$T/panics" ]; then
    db=$TMP/panics-1.db
    assert_eq "a Rust function is named in the stacks of its blocks" "1000|222000" \
        "$(under "$db" 'panics::blocks\_that\_stay' live_count)|$(under "$db" 'panics::blocks\_that\_stay' live_bytes)"
fi
