#!/bin/bash
# SPDX-License-Identifier: MIT
# The program as PID 1 of a PID namespace, as in a container: when it ends, the kernel ends everything
# else in there at once, the collector too. The database is complete right after.
. "$(dirname "$0")/../lib.sh"

need "PID 1 of a container" unshare || exit 0
if ! unshare --pid --fork true 2> said.txt; then
    if unshare --user --map-root-user --pid --fork true 2> said.txt; then set -- --user --map-root-user
    else skip "PID 1 of a container" "unshare is not permitted: $(cat said.txt)"; exit 0; fi
fi
for proc in "" --mount-proc; do
    if [ -n "$proc" ] && ! unshare "$@" --pid --fork $proc true 2> said.txt; then
        skip "PID 1 with a /proc of its own" "$(cat said.txt)"
        continue
    fi
    for rate in 1 auto; do
        label="unshare --pid --fork $proc, rate $rate" db=$TMP/one-$rate$proc.db
        unshare "$@" --pid --fork $proc env LD_PRELOAD="$SHIM" KPROF_DB="$db" KPROF_RATE=$rate "$T/mix" 2 > out.txt 2> err.txt
        status=$?
        # Nothing is asked of kprof-report here: this is the moment a container's files are copied away.
        assert_eq "complete when unshare returns [$label]" "0|1|0" \
            "$status|$(sql "$db" 'SELECT finished FROM session' 2>&1)|$(find . -name "$(basename "$db")-*" | wc -l)"
        [ $rate = 1 ] || continue
        assert_eq "both processes, all blocks [$label]" "2|6000|900000" \
            "$(sql "$db" 'SELECT count(*) FROM process')|$(under "$db" mixed_blocks live_count)|$(under "$db" mixed_blocks live_bytes)"
    done
done
for way in pid-1 subreaper; do
    db=$TMP/waits-$way.db
    set_up=("unshare" "$@" --pid --fork)
    [ $way = subreaper ] && set_up=()
    LD_PRELOAD='' timeout 20 "${set_up[@]}" env LD_PRELOAD="$SHIM" KPROF_DB="$db" "$T/waits" ${way#pid-1} > out.txt 2> err.txt
    assert_eq "who waits for all his children does not wait for the collector [$way]" 0 $?
done
# A shell as PID 1 that execs nothing, with children, and one that is killed from outside.
db=$TMP/shell.db
unshare "$@" --pid --fork env LD_PRELOAD="$SHIM" KPROF_DB="$db" KPROF_RATE=1 sh -c "'$T/mix' 1 2000 > /dev/null; '$T/mix' 1 2000 > /dev/null; exit 7"
assert_eq "a shell with two children as PID 1: complete at once" "7|1|5|12000" \
    "$?|$(sql "$db" 'SELECT finished FROM session' 2>&1)|$(sql "$db" 'SELECT count(DISTINCT pid) FROM process')|$(under "$db" mixed_blocks live_count)"
db=$TMP/killed.db
unshare "$@" --pid --fork --kill-child env LD_PRELOAD="$SHIM" KPROF_DB="$db" KPROF_RATE=1 "$T/logger" log 30 sleep > out.txt 2>&1 &
outer=$!
wait_for 5 test -s log
sleep 0.5
kill -KILL $outer
wait $outer 2> /dev/null
gone() { ! grep -qsaF "KPROF_DB=$db" /proc/[0-9]*/task/*/environ; }
wait_for 20 gone # the kernel needs a moment for each thread of the namespace
assert_whole "PID 1 killed from outside" "$db"
assert_eq "all that PID 1 has logged before it was killed is there" \
    "$("$BUILD/tools/show_log" log | awk -F'|' '$4 > 0' | wc -l)" "$(under "$db" logged_block allocated_count)"
