#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# Snapshots under fire: threads, marks in handlers, forks. Nothing hangs, no block is changed, and
# there are snapshots of parent and children.
. "$(dirname "$0")/lib_heap.sh"

PARENT="(SELECT id FROM process WHERE argv LIKE '%snapshot_storm%' AND origin <> 'fork')"
for allocator in glibc jemalloc mimalloc tcmalloc; do
    BEHIND=$(library_of $allocator) || { skip "the storm with $allocator" "it is not installed"; continue; }
    self_checking "$allocator" env LD_PRELOAD="$SHIM${BEHIND:+:$BEHIND}" KPROF_DB=storm.db \
        KPROF_SPOOL_MAX=1G "$T/snapshot_storm" 60
    settle storm.db
    assert_range "the parent has snapshots [$allocator]" 2 1000 \
        "$(sql storm.db "SELECT count(*) FROM snapshot WHERE process_id = $PARENT")"
    assert_range "children that end by exit have theirs [$allocator]" 10 60 \
        "$(sql storm.db "SELECT count(DISTINCT process_id) FROM snapshot WHERE process_id <> $PARENT AND why = 'end'")"
    assert_eq "arenas are no larger than what they have in use and free [$allocator]" 0 \
        "$(sql storm.db "SELECT count(*) FROM arena WHERE in_use > size OR free > size")"
    rm -f storm.db*
done
