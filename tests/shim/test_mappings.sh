#!/bin/bash
# SPDX-License-Identifier: MIT
# Anonymous mappings: counted, cut by partial munmap in front, behind and in the middle, reserves
# (no access) kept apart from what is allocated.
. "$(dirname "$0")/../lib.sh"

db=$TMP/mappings.db
KPROF_RATE=1 shim "$db" "$T/mappings" > out.txt
assert_eq "it ends well" 0 $?
assert_whole mappings "$db"
read -r _ count bytes live < <(grep ^mmap out.txt)
query() { sql "$db" "SELECT printf('%d|%d|%d', sum(allocated_count), sum(allocated_bytes), sum(live_bytes)) FROM site WHERE kind = '$1'"; }
assert_eq "mappings: count, bytes and what is left" "$count|$bytes|$live" "$(query mmap)"
assert_eq "address space without access is a kind of its own" "1|16777216|8388608" "$(query reserve)"
