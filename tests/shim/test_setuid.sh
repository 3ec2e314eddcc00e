#!/bin/bash
# SPDX-License-Identifier: MIT
# A set-uid program: the loader drops the library, nothing of ours happens, the program behaves.
# The program that starts it is recorded, and nothing waits for the one that is not.
. "$(dirname "$0")/../lib.sh"

need "set-uid programs" setpriv || exit 0
if [ "$(id -u)" != 0 ]; then skip "set-uid programs" "only root can make one"; exit 0; fi
if findmnt -no OPTIONS -T . 2> /dev/null | grep -q nosuid; then skip "set-uid programs" "nosuid here"; exit 0; fi
cp "$(command -v id)" raised
chmod 4755 raised
mkdir open
chmod 777 open
chmod 755 .
cp -r "$BUILD/libkprof.so" "$BUILD/kprof-collect" open/
plain=$(a_plain_user ./raised -u)
assert_eq "the program does raise its rights" 0 "$plain"
db=$TMP/open/suid.db
ours=$(a_plain_user env LD_PRELOAD="$TMP/open/libkprof.so" KPROF_DB="$db" "$TMP/raised" -u 2> said.txt)
assert_eq "it does the same with LD_PRELOAD set" "$plain" "$ours"
assert_eq "what is recorded is env before its exec, not the program" 0 \
    "$({ settle "$db" && sql "$db" "SELECT count(*) FROM process WHERE exe LIKE '%raised'"; } 2> /dev/null || echo 0)"
db=$TMP/open/parent.db
start=$(date +%s%N)
a_plain_user sh -c "LD_PRELOAD=$TMP/open/libkprof.so KPROF_DB=$db sh -c '$TMP/raised -u; true'" > out.txt 2> said.txt
assert_eq "a recorded shell that starts it sees the same" "$plain" "$(cat out.txt)"
settle "$db" || not_ok "the shell's recording can be finished" "$(cat "$db.said")"
assert_range "and nobody waits for it" 0 8 "$(awk -v a="$start" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }')"
assert_eq "the set-uid program is not in the database as a program" 0 "$(sql "$db" "SELECT count(*) FROM process WHERE exe LIKE '%raised'")"
