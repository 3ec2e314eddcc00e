#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# KPROF_RATE=1 against a log of every call kept by a library in front of ours: allocations, their
# bytes, live blocks and live bytes of each process agree to the byte.
. "$(dirname "$0")/../lib.sh"

compare() # label, command...
{
    local label=$1 db=$TMP/$1.db
    shift
    rm -f truth.log
    TRUTH_LOG=$TMP/truth.log LD_PRELOAD=$T/lib/truth.so:$SHIM KPROF_DB=$db KPROF_RATE=1 "$@" > out.txt 2> err.txt
    assert_eq "it ends well [$label]" 0 $?
    assert_whole "$label" "$db"
    "$BUILD/tools/show_truth" truth.log > truth.txt
    # One row a pid and life: a pid that execs has two; order within a pid is that of time.
    cut -d'|' -f1-5 truth.txt | sort -t'|' -k1,1n -s > expected.txt
    sql "$db" "SELECT p.pid, printf('%d|%d|%d|%d', sum(s.allocated_count), sum(s.allocated_bytes), sum(s.live_count),
        sum(s.live_bytes)) FROM process p LEFT JOIN site s ON s.process_id = p.id AND s.kind IN ('malloc', 'new')
        GROUP BY p.id ORDER BY p.pid, p.id" > got.txt
    assert_range "the truth has something to tell [$label]" 10 1000000000 "$(cut -d'|' -f2 truth.txt | sort -n | tail -1)"
    assert_same_file "count, bytes, live count and live bytes of each process are exact [$label]" expected.txt got.txt
}

compare c "$T/mix" 1
compare threads "$T/mix" 4
compare c++ "$T/mixed_objects"
compare thread-locals "$T/tls_destructors"
compare entry-points "$T/entries"
compare fork-and-exec "$T/storm" mixed 5 0 pids
compare threads-and-fork "$T/storm" fork 10 2 pids
seq 30000 > numbers
compare somebody-elses sort -R -S 1M --parallel=2 numbers /proc/self/maps -o sorted
