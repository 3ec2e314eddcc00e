#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# Threads that come and go: 10,000 one after another use up nothing, 200 at once find room, and
# what is allocated and freed while a thread ends (TLS destructors, cancellation) is recorded.
. "$(dirname "$0")/../lib.sh"

run() # label, rate, command...
{
    local label=$1 rate=$2
    shift 2
    db="$TMP/$label.db"
    KPROF_DB=$db KPROF_RATE=$rate self_checking "$label" env LD_PRELOAD="$SHIM" "$@"
    assert_whole "$label" "$db"
}

run sequence 1 "$T/threads" sequence 10000
assert_eq "10,000 threads one after another: the block of each is there" "10000|480000" \
    "$(under "$db" one_block_stays live_count)|$(under "$db" one_block_stays live_bytes)"
assert_range "and the thread table has them" 10000 10001 "$(sql "$db" 'SELECT count(*) FROM thread')"

# The same with room for 16 chunks of 64 KiB: threads that have ended give theirs back.
KPROF_SPOOL_MAX=1M run sequence-1M 4K "$T/threads" sequence 10000
run together 1 "$T/threads" together 200
assert_eq "200 threads at once: 10 blocks of each" "2000|96000" \
    "$(under "$db" one_block_stays live_count)|$(under "$db" one_block_stays live_bytes)"
run endings 1 "$T/threads" endings 300
assert_eq "blocks made by key destructors of ending threads are there" "300|28800" \
    "$(under "$db" block_of_destructor live_count)|$(under "$db" block_of_destructor live_bytes)"
assert_eq "what key destructors free is freed in the recording" 0 \
    "$(sql "$db" 'SELECT count(*) FROM sample WHERE size IN (64, 200)')" # of these two sizes nothing stays
run handover 1 "$T/threads" handover 2000
assert_eq "a block freed by another thread is freed in the recording" "2000|1" \
    "$(under "$db" handover allocated_count)|$(under "$db" handover live_count)"
run tls 1 "$T/tls_destructors"
assert_range "blocks made by destructors of thread_local objects" 200 201 \
    "$(under "$db" block_of_tls_destructor live_count)"
run tls-auto auto "$T/tls_destructors"
run leader 1 "$T/threads" leader 150
assert_eq "a process whose first thread has ended lives on: all blocks of the other one" "150|exit" \
    "$(under "$db" one_block_stays live_count)|$(sql "$db" 'SELECT "end" FROM process')"
