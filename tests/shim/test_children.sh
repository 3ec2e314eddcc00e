#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 150
# 1,000 children of a shell, one after another: all in one database, one file in the end.
. "$(dirname "$0")/../lib.sh"

for shell in dash bash; do
    need "1,000 children" $shell || continue
    mkdir $shell
    db=$TMP/$shell/loop.db
    # shellcheck disable=SC2016
    KPROF_RATE=auto shim "$db" $shell -c 'i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i + 1)); done' > out.txt 2>&1
    assert_eq "the loop ends well [$shell]" "0|" "$?|$(cat out.txt)"
    assert_whole "1,000 children of $shell" "$db"
    assert_eq "each of the 1,000 has its row, and the shell [$shell]" "1000|1" \
        "$(sql "$db" "SELECT count(DISTINCT pid) FROM process WHERE exe LIKE '%/true'")|$(sql "$db" "SELECT count(*) FROM process WHERE origin = 'root'")"
    assert_eq "all have ended and none lost anything [$shell]" 0 \
        "$(sql "$db" 'SELECT count(*) FROM process WHERE "end" IS NULL OR lost_samples > 0')"
    assert_eq "one file remains [$shell]" loop.db "$(find $shell -type f ! -name 'loop.db.*' -printf '%f ' | sed 's, $,,')"
done
