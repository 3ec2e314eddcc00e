#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# Every way a program can end by itself: exit, _exit, quick_exit, abort, exec in the middle of the
# other thread's work. Nothing is missing, and the database says how it ended.
. "$(dirname "$0")/lib_logger.sh"

for way in exit _exit quick_exit abort exec; do
    db=$TMP/$way.db
    start_logger "$db" log 0.7 $way
    wait "$logger" 2> /dev/null
    status=$?
    assert_eq "its exit status is its own [$way]" "$([ $way = abort ] && echo 134 || echo 0)" $status
    assert_nothing_missing $way "$db" log 1000
    assert_eq "all of it had happened [$way]" "done" "$(cat logger.out)"
    case $way in
    exit | _exit | quick_exit) end="exit" ;; # the library is told of these three
    exec) end="exec" ;;
    *) end='killed or _exit' ;;
    esac
    assert_eq "how it ended is told [$way]" "$end" "$(sql "$db" "SELECT end FROM process WHERE origin = 'root'")"
done
assert_eq "what it exec'ed is a row of its own" "exec|/true" \
    "$(sql "$db" "SELECT origin, substr(exe, -5) FROM process WHERE origin <> 'root'")"
