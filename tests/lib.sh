# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is for the scripts
# What every test script has at hand. A script sources this file, says with ok, not_ok and skip
# what it protects, and ends; tests/run gives it a directory of its own (also made here when a
# script is started by hand) and counts its lines. Nothing here depends on the machine: what a
# test needs and cannot have is told by skip with the reason.
set -u -o pipefail
export LC_ALL=C
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${KPROF_TEST_BUILD:-$ROOT/build/release}
SHIM=$BUILD/libkprof.so
REPORT=$BUILD/kprof-report
T=$BUILD/targets
LONG=${KPROF_TEST_LONG:-0}
if [ -z "${KPROF_TEST_TMP:-}" ]; then
    KPROF_TEST_TMP=$(mktemp -d)
    trap 'rm -rf "$KPROF_TEST_TMP"' EXIT
fi
export KPROF_TEST_TMP KPROF_QUIET=${KPROF_QUIET:-1}
TMP=$KPROF_TEST_TMP
cd "$TMP" || exit 1

ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1: $(echo "$2" | head -c 600 | tr '\n' ';')"; }
skip() { echo "skip - $1: $2"; }

assert_eq() # what, expected, actual
{
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}

assert_range() # what, low, high, actual (all numbers, fractions too)
{
    if awk -v l="$2" -v h="$3" -v a="$4" 'BEGIN { exit !(a != "" && a + 0 >= l + 0 && a + 0 <= h + 0) }'
    then ok "$1"; else not_ok "$1" "expected $2 to $3, got '$4'"; fi
}

assert_same_file() # what, expected file, actual file
{
    if cmp -s "$2" "$3"; then ok "$1"; else not_ok "$1" "$(diff "$2" "$3" | head -8)"; fi
}

assert_match() # what, extended regular expression, text
{
    if grep -qE -- "$2" <<< "$3"; then ok "$1"; else not_ok "$1" "no '$2' in '$3'"; fi
}

need() # what for, program...: fails (and says so) when one is missing
{
    local what=$1 program
    shift
    for program; do
        command -v "$program" > /dev/null || { skip "$what" "no $program here"; return 1; }
    done
}

need_target() # what for, target
{
    [ -e "$T/$2" ] || { skip "$1" "$2 could not be built here"; return 1; }
}

shim() # database, command...: runs it under the library
{
    local db=$1
    shift
    LD_PRELOAD=${BEFORE:+$BEFORE:}$SHIM${BEHIND:+:$BEHIND} KPROF_DB=$db "$@"
}

sql() # database, query
{
    sqlite3 -readonly -separator '|' "$1" "$2"
}

settle() # database: everything recorded is in it afterwards; what kprof-report said is in its .said
{
    "$REPORT" "$1" --json > "$1.json" 2> "$1.said" < /dev/null
}

exact_sum() # database, column of site: the sum as a whole number, for KPROF_RATE=1
{
    sql "$1" "SELECT printf('%d', coalesce(sum($2), 0)) FROM site WHERE kind IN ('malloc', 'new')"
}

collector_of() # database: pid of the collector that works on it, if any
{
    # One grep for all processes, the name not among its own arguments. With a few processes for each,
    # a test that waits wears out every pid there is, and bash forgets a child whose pid comes again.
    local found
    found=$(grep -lsxzFf <(echo "$1-spool") /proc/[0-9]*/cmdline | head -n 1 | cut -d/ -f3)
    [ -n "$found" ] && echo "$found"
}

wait_for() # seconds, command...: until the command succeeds
{
    local tries=$(($1 * 20))
    shift
    until "$@" 2>/dev/null; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.05
    done
}

self_checking() # label, command...: a target that prints ok / not ok lines itself
{
    local label=$1 out status
    shift
    out=$(timeout -k 2 "${TARGET_LIMIT:-30}" "$@" 2> "$TMP/self_checking.err" < /dev/null)
    status=$?
    sed -n "s/^\(ok\|skip\) - .*/& [$label]/p; s/^not ok - \([^:]*\)\(.*\)/not ok - \1 [$label]\2/p" <<< "$out"
    case $status in
    0) ;;
    124 | 137) not_ok "ends in time [$label]" "stopped after ${TARGET_LIMIT:-30} s" ;;
    *) grep -q '^not ok - ' <<< "$out" ||
        not_ok "ends well [$label]" "exit status $status; $(tail -3 "$TMP/self_checking.err")" ;;
    esac
    grep -qE '^(ok|not ok) - ' <<< "$out" || not_ok "says something [$label]" "$*"
}

a_plain_user() # command...: as nobody when we are root
{
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

under() # database, function (a LIKE pattern), column of site: its sum over all stacks with it
{
    sql "$1" "WITH RECURSIVE up(site, stack) AS (
        SELECT id, stack_id FROM site WHERE kind IN ('malloc', 'new', 'mmap')
        UNION ALL SELECT site, parent_id FROM up JOIN stack ON stack.id = up.stack WHERE parent_id <> 0)
        SELECT printf('%d', coalesce(sum($3), 0)) FROM site WHERE id IN (
            SELECT site FROM up JOIN stack s ON s.id = up.stack
            JOIN frame f ON f.location_id = s.location_id WHERE f.function LIKE '$2' ESCAPE '\\')"
}

assert_whole() # label, database: settled, one file, nothing lost, SQLite is content with it
{
    settle "$2" || { not_ok "the recording can be finished [$1]" "$(cat "$2.said")"; return 1; }
    local state
    state=$(sql "$2" "SELECT finished, lost_processes, (SELECT sum(lost_samples + lost_frees +
        lost_definitions) FROM process), (SELECT count(*) FROM spool_cursor) FROM session" 2>&1)
    state="$state|$(sql "$2" 'PRAGMA integrity_check' 2>&1)"
    state="$state|$(cd "$(dirname "$2")" && echo "$(basename "$2")"-*)"
    assert_eq "one whole database, nothing lost [$1]" "1|0|0|0|ok|$(basename "$2")-*" "$state"
}

lines_of() { wc -l < "$1" | tr -d ' '; }
