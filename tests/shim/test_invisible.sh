#!/bin/bash
# SPDX-License-Identifier: MIT
# Guest's manners: a program sees nothing of the library in its own process. What it can see when
# main begins, after heavy sampling and at its end is the same, line by line, as in a plain run.
. "$(dirname "$0")/../lib.sh"

seen() { sed -E 's/(pipe|socket|anon_inode):.*/\1/' "$1" > "$1.seen"; }

for rate in 1 4K auto; do
    "$T/guest" look > plain.txt
    KPROF_RATE=$rate shim "$TMP/look-$rate.db" "$T/guest" look > ours.txt
    seen plain.txt
    seen ours.txt
    assert_range "the comparison has something to compare [rate $rate]" 60 10000 "$(lines_of plain.txt.seen)"
    assert_same_file "tasks, children, descriptors, signals, limits, environment as without [rate $rate]" \
        plain.txt.seen ours.txt.seen
    assert_whole "look, rate $rate" "$TMP/look-$rate.db"
done
assert_range "and the run was recorded: every allocation of it" 600000 700000 "$(exact_sum "$TMP/look-1.db" allocated_count)"

# No SIGCHLD comes from the start-up: it would be pending, as the launcher has blocked it.
"$T/guest" launch "" "$T/guest" look > plain.txt
KPROF_RATE=1 KPROF_DB=$TMP/launch.db "$T/guest" launch "$SHIM" "$T/guest" look > ours.txt
seen plain.txt
seen ours.txt
assert_match "a blocked SIGCHLD is seen as blocked" 'start: signal 17 is blocked' "$(cat plain.txt.seen)"
assert_same_file "no SIGCHLD is sent to a program that has blocked it" plain.txt.seen ours.txt.seen
assert_whole "launch" "$TMP/launch.db"

# With few descriptors left, and with none below the limit to spare.
(ulimit -n 4; "$T/guest" look) > plain.txt
(ulimit -n 4; KPROF_RATE=1 shim "$TMP/few.db" "$T/guest" look) > ours.txt
seen plain.txt
seen ours.txt
assert_same_file "a program that may open four files sees no difference" plain.txt.seen ours.txt.seen
