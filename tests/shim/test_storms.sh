#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# long-limit: 600
# Storms of fork, vfork, clone, posix_spawn and exec from threads that allocate all the time:
# nothing hangs, every child is in the one database with its numbers, the parent's are right.
. "$(dirname "$0")/../lib.sh"

count=15
[ "$LONG" = 1 ] && count=150
export TARGET_LIMIT=60

storm() # way, threads, rate
{
    local label="$1, $2 threads, rate $3" db=$TMP/$1-$2-$3.db
    rm -f pids
    KPROF_DB=$db KPROF_RATE=$3 self_checking "$label" env LD_PRELOAD="$SHIM" "$T/storm" "$1" $count "$2" pids
    assert_whole "$label" "$db" || return
    sort pids > started
    sql "$db" "SELECT DISTINCT pid FROM process WHERE origin <> 'root'" | sort > recorded
    assert_same_file "every child is in the database [$label]" started recorded
    [ "$3" = 1 ] || return
    local children lone=
    children=$(lines_of pids)
    lone=$children
    assert_eq "each child's 100 blocks of 1,000 bytes are there, alive [$label]" \
        "$((lone * 100))|$((lone * 100000))" \
        "$(under "$db" child_blocks live_count)|$(under "$db" child_blocks live_bytes)"
    assert_eq "the parent's 1,000 blocks of 100 bytes are there [$label]" "1000|100000" \
        "$(under "$db" parent_blocks live_count)|$(under "$db" parent_blocks live_bytes)"
    assert_eq "what the other threads allocate is freed in the recording too [$label]" 0 \
        "$(under "$db" allocate_all_the_time live_bytes)"
}

for way in fork exec vfork spawn clone mixed; do
    storm $way 2 auto
done
for way in fork clone libclone vfork mixed; do
    storm $way 0 1
done
storm mixed 1 1
