# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is for the scripts
# What the tests of fragmentation share: recording a program under an allocator, and figures of its
# last snapshot.
. "$(dirname "$0")/../lib.sh"

# Fills HEAP (what kprof-report says, as JSON) and TRUTH (what the program said of itself).
heap_of() # database, command...
{
    local db=$1
    shift
    TRUTH=$(shim "$db" "$@" 2> err.txt)
    HEAP=$("$REPORT" "$db" fragmentation --json 2>> err.txt)
    [ -n "$HEAP" ] || { not_ok "there is a report" "$(cat err.txt)"; return 1; }
}

truth() { awk -v key="$1" '$1 == key { print $2 }' <<< "$TRUTH"; }

heap() # expression of j, the report
{
    python3 -c 'import json, sys
j = json.loads(sys.argv[1])
print(eval(sys.argv[2]))' "$HEAP" "$1"
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
