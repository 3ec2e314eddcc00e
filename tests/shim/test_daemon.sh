#!/bin/bash
# SPDX-License-Identifier: MIT
# long-limit: 180
# A program that goes to the background: its first process ends at once, the one that works goes on in a
# session of its own, with all descriptors closed. The recording goes on with it, kprof-report says
# meanwhile that it runs, and the end of the last process is the end of the recording.
. "$(dirname "$0")/../lib.sh"

need "a program that goes to the background" setsid || exit 0
db=$TMP/daemon.db
KPROF_RATE=1 shim "$db" setsid -f sh -c "cd /; exec '$T/logger' '$TMP/log' 2 exit '$TMP/go' < /dev/null > /dev/null 2>&1"
assert_eq "the first process is gone" 0 $?
wait_for 5 test -e log
touch go
sleep 1
"$REPORT" "$db" > report.txt 2> said.txt
assert_eq "kprof-report answers while it runs" "0|" "$?|$(cat said.txt)"
assert_match "and says that it still runs" '(RUNNING|still run)' "$(cat report.txt)"
ended() { ! grep -qsaF "$TMP/log" /proc/[0-9]*/cmdline; }
wait_for 10 ended || not_ok "the daemon ends" "it does not"
assert_whole daemon "$db"
assert_eq "all that it has logged is there" \
    "$("$BUILD/tools/show_log" log | awk -F'|' '$4 > 0 { n++; b += $4 } END { printf "%d|%d", n, b }')" \
    "$(under "$db" logged_block allocated_count)|$(under "$db" logged_block allocated_bytes)"

# Many at once on a machine that is busy: the child may come to life long after its parent has ended.
[ "$LONG" = 1 ] || exit 0
hogs=()
for _ in 1 2 3 4 5 6; do
    timeout 20 sh -c 'while :; do :; done' &
    hogs+=($!)
done
for n in $(seq 40); do
    KPROF_RATE=1 shim "$TMP/many-$n.db" setsid -f sh -c "sleep 0.2; exec '$T/mix' 1 1000 > /dev/null 2>&1"
    sleep 0.1
done
wait "${hogs[@]}"
for n in $(seq 40); do settle "$TMP/many-$n.db"; done
assert_eq "40 daemons on a busy machine: each in one database" "" "$(find . -name 'many-*-[0-9]*.db*')"
