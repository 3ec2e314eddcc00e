# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is for the scripts
# What the tests of fragmentation share: recording a program under an allocator, and figures of its
# last snapshot.
. "$(dirname "$0")/../lib.sh"

READER=/usr/bin/python3 # of JSON; reads anything
[ -x "$READER" ] || READER=python3

# Fills heap.json (what kprof-report says) and TRUTH (what the program said of itself).
heap_of() # database, command...
{
    local db=$1
    shift
    TRUTH=$(shim "$db" "$@" 2> err.txt)
    "$REPORT" "$db" fragmentation --json > heap.json 2>> err.txt ||
        { not_ok "there is a report" "$(cat err.txt)"; return 1; }
}

truth() { awk -v key="$1" '$1 == key { print $2 }' <<< "$TRUTH"; }

heap() # expression of j, the report
{
    "$READER" -c 'import json, sys
j = json.load(open("heap.json"))
print(eval(sys.argv[1]))' "$1"
}

assert_near() # what, expected, actual, percent
{
    assert_range "$1 (within $4 %)" "$(awk -v e="$2" -v p="$4" 'BEGIN { print e * (1 - p / 100) }')" \
        "$(awk -v e="$2" -v p="$4" 'BEGIN { print e * (1 + p / 100) }')" "$3"
}

library_of() # allocator: what stands behind us in LD_PRELOAD; fails when it is not here
{
    local name
    case $1 in
    glibc) return 0 ;;
    jemalloc) name=libjemalloc.so.2 ;;
    mimalloc) name=libmimalloc.so.2 ;;
    tcmalloc) name=libtcmalloc_minimal.so.4 ;;
    esac
    for name in /usr/lib/x86_64-linux-gnu/$name /usr/lib64/$name /usr/lib/$name; do
        [ -e "$name" ] && { echo "$name"; return 0; }
    done
    return 1
}
