#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that run under limits, or without what is usually there: small files (a spool that grows
# beyond the limit would be a deadly signal), little address space, no descriptors, no /proc, nothing
# writable. The program runs as without us; what cannot be recorded is told in one line.
. "$(dirname "$0")/../lib.sh"

under_limit() # label, ulimit arguments...
{
    local label=$1 db=$TMP/$1.db status
    shift
    # Output goes through pipes: a file would be subject to the limit itself.
    (ulimit "$@" && exec "$T/mix" 1 3000) 2>&1 | cat > plain.txt
    assert_eq "it runs without us [$label]" 0 "${PIPESTATUS[0]}"
    (ulimit "$@" && LD_PRELOAD=$SHIM KPROF_DB=$db KPROF_RATE=1 exec "$T/mix" 1 3000) 2>&1 | cat > both.txt
    status=${PIPESTATUS[0]}
    grep '^kprof: ' both.txt > err.txt
    grep -v '^kprof: ' both.txt > ours.txt
    assert_eq "it runs with us [$label]" 0 "$status"
    assert_same_file "it does the same [$label]" plain.txt ours.txt
    assert_range "at most one line of ours [$label]" 0 1 "$(lines_of err.txt)"
    if [ -e "$db" ] || [ -e "$db-spool" ]; then
        settle "$db" || not_ok "what was recorded can be read [$label]" "$(cat "$db.said")"
    else
        assert_match "it is told that nothing is recorded [$label]" '^kprof: ' "$(cat err.txt)"
    fi
}
under_limit no-files -f 0
under_limit small-files -f 64
under_limit address-space-100M -v 100000
under_limit address-space-400M -v 400000
under_limit four-descriptors -n 4
under_limit no-locked-memory -l 0
under_limit no-more-processes -u 1

# A child that may have less address space than the recording of its parent takes.
db=$TMP/less.db
# shellcheck disable=SC2016
LD_PRELOAD=$SHIM KPROF_DB=$db KPROF_RATE=1 sh -c '(ulimit -v 100000; exec "$0" 1 3000); exec "$0" 1 3000' "$T/mix" > out.txt 2> err.txt
assert_eq "with less address space than its parent a child runs as ever" "0|4" "$?|$(grep -c '^ok' out.txt)"
assert_eq "it says where it is recorded, and why" "kprof: $db does not fit into the address space (ulimit -v); recording to $TMP/less-1.db" \
    "$(grep 'recording to' err.txt)"
assert_whole "the parent" "$db"
assert_whole "the child with less address space" "$TMP/less-1.db"
for each in "$db" "$TMP/less-1.db"; do
    assert_range "each has its own blocks" 6000 6010 "$(sql "$each" 'SELECT count(*) FROM sample WHERE size = 150')"
done

[ "$(id -u)" = 0 ] && need "without /proc" unshare mount || exit 0
cat > without_proc.sh << END
mount -t tmpfs none /proc || exit 77
LD_PRELOAD=$SHIM KPROF_DB=$TMP/noproc.db KPROF_RATE=1 "$T/mix" 1 3000
END
if ! unshare --mount true 2> err.txt; then
    skip "without /proc, and on a read-only file system" "no mounts of our own here: $(cat err.txt)"
    exit 0
fi
unshare --mount sh without_proc.sh > out.txt 2> err.txt
status=$?
if [ $status = 77 ]; then
    skip "without /proc" "it cannot be hidden: $(cat err.txt)"
else
    assert_eq "without /proc the program runs" "0|2" "$status|$(grep -c '^ok' out.txt)"
    assert_whole "without /proc" "$TMP/noproc.db"
    assert_eq "without /proc all is recorded" 6000 "$(sql "$TMP/noproc.db" 'SELECT count(*) FROM sample WHERE size = 150')"
fi
cat > read_only.sh << END
mkdir -p "$TMP/ro" && mount -t tmpfs -o ro none "$TMP/ro" || exit 77
cd "$TMP/ro" && LD_PRELOAD=$SHIM KPROF_RATE=1 "$T/mix" 1 3000
END
unshare --mount sh read_only.sh > out.txt 2> err.txt
status=$?
if [ $status = 77 ]; then
    skip "a read-only file system" "none can be mounted: $(cat err.txt)"
else
    assert_eq "in a read-only folder the program runs, one line says why nothing is recorded" "0|2|1" \
        "$status|$(grep -c '^ok' out.txt)|$(grep -c '^kprof: ' err.txt)"
fi
