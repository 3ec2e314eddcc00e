#!/bin/bash
# SPDX-License-Identifier: MIT
# The environment: a wrong value gives one clear line and the default; KPROF_QUIET, KPROF_FOLLOW and
# the closing line do what they say.
. "$(dirname "$0")/../lib.sh"

wrong() # variable, value, column of process and its default (or -)
{
    local db=$TMP/wrong.db value
    rm -f "$db"*
    env "$1=$2" LD_PRELOAD="$SHIM" KPROF_DB="$db" "$T/mix" 1 1000 > out.txt 2> all.txt
    assert_eq "$1='$2': the program runs" 0 $?
    grep -v ' samples in .*; next: ' all.txt > err.txt # a wrong KPROF_QUIET is no quiet one
    assert_eq "$1='$2': one line" 1 "$(lines_of err.txt)"
    assert_match "$1='$2': the line names the variable, the value and what is taken" "^kprof: .*$1.*$2" "$(cat err.txt)"
    assert_whole "$1='$2'" "$db"
    [ "$3" = - ] && return
    value=$(sql "$db" "SELECT coalesce($3, 'default') FROM process LIMIT 1")
    assert_eq "$1='$2': the default is used" "$4" "$value"
}

wrong KPROF_RATE fast fixed_rate default
wrong KPROF_RATE -5 fixed_rate default
wrong KPROF_RATE 0 fixed_rate default
wrong KPROF_RATE 4Q fixed_rate default
wrong KPROF_RATE 99999999999999999999 fixed_rate default
wrong KPROF_BUDGET lots budget 0.01
wrong KPROF_BUDGET 200% budget 0.01
wrong KPROF_FOLLOW some - -
wrong KPROF_SPOOL_MAX 12Z - -
wrong KPROF_SPOOL_MAX 1 - -
wrong KPROF_QUIET maybe - -

right() # variable, value, query, result
{
    rm -f right.db*
    env "$1=$2" LD_PRELOAD="$SHIM" KPROF_DB="$TMP/right.db" "$T/mix" 1 1000 > out.txt 2> err.txt
    assert_eq "$1='$2' is understood" "" "$(cat err.txt)"
    settle "$TMP/right.db"
    assert_eq "$1='$2' is used" "$4" "$(sql "$TMP/right.db" "$3")"
}
right KPROF_RATE 4K "SELECT DISTINCT fixed_rate FROM process" 4096
right KPROF_RATE 1M "SELECT DISTINCT fixed_rate FROM process" 1048576
right KPROF_RATE 12345 "SELECT DISTINCT fixed_rate FROM process" 12345
right KPROF_RATE auto "SELECT count(fixed_rate) FROM process" 0
right KPROF_BUDGET 5% "SELECT DISTINCT budget FROM process" 0.05
right KPROF_BUDGET 0.5% "SELECT DISTINCT budget FROM process" 0.005
# In whole chunks of 64 KiB, with the head of the file.
right KPROF_SPOOL_MAX 32M "SELECT spool_max_bytes BETWEEN (32 << 20) - (256 << 10) AND 32 << 20 FROM session" 1

follow() # mode, expected rows as programs
{
    local db=$TMP/follow-$1.db
    KPROF_FOLLOW=$1 KPROF_RATE=auto shim "$db" bash -c '(:; /bin/true); /bin/true; exit 0' > out.txt 2> err.txt
    assert_eq "KPROF_FOLLOW=$1: the program runs" "0|" "$?|$(cat err.txt)"
    assert_whole "KPROF_FOLLOW=$1" "$db"
    assert_eq "KPROF_FOLLOW=$1: these are recorded" "$2" \
        "$(sql "$db" "SELECT group_concat(n, ' ') FROM (SELECT DISTINCT replace(exe, rtrim(exe, replace(exe, '/', '')), '') || ':' || origin AS n FROM process ORDER BY n)")"
}
follow all "bash:fork bash:root true:exec"
follow fork "bash:fork bash:root"
follow none "bash:root"

db=$TMP/loud.db
KPROF_QUIET=0 KPROF_RATE=1 shim "$db" "$T/mix" 1 1000 > out.txt 2> err.txt
assert_match "the closing line names the samples, the file and the next command" \
    '^kprof: [0-9]{1,3}(,[0-9]{3})* samples in .*loud\.db; next: kprof-report .*loud\.db$' "$(cat err.txt)"
assert_eq "and it is one line for the whole tree" 1 "$(lines_of err.txt)"
settle "$db"
said=$(sed -n 's/^kprof: \([0-9,]*\) samples.*/\1/p' err.txt | tr -d ,)
assert_range "its number is that of the database so far" 3000 "$(sql "$db" 'SELECT sum(samples) FROM process')" "$said"
KPROF_QUIET=1 KPROF_RATE=1 shim "$TMP/quiet.db" "$T/mix" 1 1000 > out.txt 2> err.txt
assert_eq "KPROF_QUIET=1: no line" "" "$(cat err.txt)"
settle "$TMP/quiet.db"
