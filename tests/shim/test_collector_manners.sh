#!/bin/bash
# SPDX-License-Identifier: MIT
# The collector, seen from outside while the program runs: it holds none of the program's descriptors
# (a pipe that it kept open would never end), no folder of it, is in a session of its own (Ctrl-C
# is not for it), has default signals, is not preloaded, and belongs to nobody of the tree.
. "$(dirname "$0")/../lib.sh"

# Python and shells leave such things behind: an open descriptor, blocked and ignored signals.
db=$TMP/manners.db
mkdir elsewhere
(
    cd elsewhere || exit
    exec 7> "$TMP/kept_open"
    trap '' HUP USR1
    LD_PRELOAD=$SHIM KPROF_DB=$db KPROF_RATE=1 exec "$T/logger" "$TMP/log" 3 exit
) > out.txt 2> err.txt &
program=$!
wait_for 5 collector_of "$db" > /dev/null
collector=$(collector_of "$db")
if [ -z "$collector" ]; then
    not_ok "a collector is at work" "there is none"
    exit
fi
ok "a collector is at work"
sleep 0.3
assert_eq "its descriptors are /dev/null, the spool, its watch and the database, nothing of the program's" "" \
    "$(for fd in /proc/"$collector"/fd/*; do readlink "$fd"; done | grep -vxE "/dev/null|$db(-spool|-wal|-shm)?|anon_inode:(inotify|\[eventfd\])")"
assert_eq "it stands in no folder of the program" no \
    "$([ "$(readlink /proc/"$collector"/cwd)" = "$TMP/elsewhere" ] && echo yes || echo no)"
field() { awk -v n="$1" '{ sub(/.*\) /, ""); split($0, f, " "); print f[n - 2] }' "/proc/$2/stat"; }
assert_eq "it is in a session of its own" "$collector" "$(field 6 "$collector")"
assert_eq "its parent is not the program" no "$([ "$(field 4 "$collector")" = $program ] && echo yes || echo no)"
assert_eq "it blocks no signal" "0000000000000000" "$(awk '/^SigBlk/ { print $2 }' /proc/"$collector"/status)"
assert_eq "the library is not preloaded into it" "" "$(tr '\0' '\n' < /proc/"$collector"/environ | grep '^LD_PRELOAD=..*')"
assert_eq "the program has no child" "" "$(cat /proc/$program/task/$program/children)"
wait $program
assert_eq "the program ends well" 0 $?
assert_whole "the collector's manners" "$db"

# The pipe ends when the program ends, not when the collector does.
start=$(date +%s%N)
KPROF_RATE=1 shim "$TMP/pipe.db" sh -c 'echo hello; exec >&-; sleep 2' | cat > out.txt
assert_range "a pipe that the program closes is closed at once" 0 2.9 \
    "$(awk -v a="$start" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }')"
(KPROF_RATE=1 shim "$TMP/ends.db" sh -c '(exec >&- 2>&-; sleep 2) & echo hello') | cat > out.txt
now=$(date +%s%N)
assert_range "also while a child goes on without it" 0 3.9 "$(awk -v a="$start" -v b="$now" 'BEGIN { print (b - a) / 1e9 }')"
settle "$TMP/pipe.db"
sleep 2
settle "$TMP/ends.db"
