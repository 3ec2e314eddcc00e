#!/bin/bash
# SPDX-License-Identifier: MIT
# dlopen in constructors, before or after ours has run, and libraries loaded and unloaded all the
# time: the second one at the same address gets its own name in the stacks, not the first one's.
. "$(dirname "$0")/../lib.sh"

rounds=100
[ "$LONG" = 1 ] && rounds=2000
for rate in 1 1000; do
    db=$TMP/loader-$rate.db
    KPROF_DB=$db KPROF_RATE=$rate self_checking "rate $rate" env LD_PRELOAD="$SHIM" "$T/loader" "$T/lib" $rounds
    assert_whole "rate $rate" "$db"
done
db=$TMP/loader-1.db
for n in a b; do
    size=$([ $n = a ] && echo 1111 || echo 2222)
    assert_eq "stacks of plugin_$n have its blocks, all of them and no others" \
        "$((rounds * 10))|$((rounds * 10 * size))" \
        "$(under "$db" plugin_${n}_inner allocated_count)|$(under "$db" plugin_${n}_inner allocated_bytes)"
    assert_eq "no block of the other plugin is put into plugin_$n" 0 \
        "$(sql "$db" "SELECT count(*) FROM sample JOIN v_sites s ON s.id = sample.site_id
            WHERE s.function = 'plugin_${n}_inner' AND sample.size <> $size")"
done

for order in front behind; do
    label="constructor that loads a library, $order of ours" db=$TMP/early-$order.db
    list=$SHIM:$T/lib/loads_early.so
    [ $order = front ] && list=$T/lib/loads_early.so:$SHIM
    EARLY_PLUGIN=$T/lib/plugin_a.so LD_PRELOAD=$list KPROF_DB=$db KPROF_RATE=1 "$T/mixed_objects" > out.txt 2>&1
    assert_eq "the program runs [$label]" 0 $?
    assert_whole "$label" "$db"
    assert_eq "its allocation is recorded and freed [$label]" "1|4321|0" \
        "$(sql "$db" "SELECT sum(allocated_count), sum(allocated_bytes), sum(live_bytes) FROM v_sites
            WHERE function = 'plugin_a_inner'" | sed 's/\.0//g')"
done
