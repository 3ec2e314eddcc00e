#!/bin/bash
# SPDX-License-Identifier: MIT
# kprof-report finishes what a recording has left behind, waits for a collector, and reads what is
# there of a recording that goes on; where it may not write, it works on a copy.
. "$(dirname "$0")/cli.sh"
[ -e "$SHIM" ] || { skip "reports of real recordings" "no library"; exit; }

"$RUN" -o ended.db --rate 1 -- sort /etc/passwd > out.txt
"$REPORT" ended.db > report.txt 2> err.txt
assert_eq "right after the end: the report waits and succeeds" "0 " "$? $(cat err.txt)"
assert_match "the program and its allocator are named" "^ended.db  sort \(pid [0-9]+\), .*, glibc" "$(head -1 report.txt)"
assert_match "every allocation" "^rate 1: every allocation.* none lost$" "$(sed -n 2p report.txt)"
assert_eq "one file remains" "ended.db" "$(echo ended.db*)"

# Without a collector: the report does its work.
mkdir lonely && cp "$SHIM" lonely/ && cp "$RUN" lonely/
lonely/kprof-run -o left.db --rate 1 -- sort /etc/passwd > out.txt 2> err.txt
assert_eq "a spool is left behind" "left.db-spool" "$(cd "$TMP" && echo left.db*)"
if ! a_plain_user test -x "$REPORT"; then
    skip "in a read-only directory it is read through a copy" "another user cannot run the build"
elif [ "$(id -u)" = 0 ] || [ -w / ]; then
    mkdir readonly && cp left.db-spool readonly/ && chmod 444 readonly/left.db-spool && chmod 555 readonly
    chmod 755 .
    before=$(sha256sum readonly/left.db-spool)
    TMPDIR=/tmp a_plain_user env KPROF_TEST_TMP= "$REPORT" readonly/left.db > report.txt 2> err.txt
    assert_eq "in a read-only directory it is read through a copy" "0 " "$? $(cat err.txt)"
    assert_match "the copy has the figures" "^allocated " "$(cat report.txt)"
    assert_eq "nothing is changed there" "$before left.db-spool" "$(sha256sum readonly/left.db-spool) $(ls readonly)"
    chmod 755 readonly
fi
"$REPORT" left.db > report.txt 2> err.txt
assert_eq "the report finishes it" "0 " "$? $(cat err.txt)"
assert_eq "one file remains then" "left.db" "$(echo left.db*)"
"$REPORT" left.db > again.txt && assert_same_file "and says the same again" report.txt again.txt

# While it runs.
mkfifo hold && exec 9<> hold # never written to: whoever reads it waits
"$RUN" -o running.db --rate 1 -- sh -c 'sort /etc/passwd > /dev/null; echo; read -r line' < hold > pipe.txt &
job=$!
is_told() { "$REPORT" running.db | grep -q '^RUNNING  *1 of'; }
wait_for 60 test -s pipe.txt && wait_for 60 is_told
"$REPORT" running.db > report.txt 2> err.txt
assert_eq "a report while the program runs" "0 " "$? $(cat err.txt)"
assert_match "says that it runs" "^RUNNING +1 of [0-9]+ processes" "$(cat report.txt)"
kill -KILL $job
wait $job 2>/dev/null
"$REPORT" running.db > report.txt 2> err.txt
assert_eq "a report after it was killed" "0 " "$? $(cat err.txt)"
assert_eq "nobody runs any more, one file remains" "running.db 0" "$(echo running.db*) $(grep -c ^RUNNING report.txt)"

# Spools that are none.
printf 'krfspool' > bad.db-spool
refuse "a spool that was cut" 1 "bad.db" "$REPORT" bad.db
assert_eq "is left alone" "krfspool" "$(cat bad.db-spool)"
fixture engine good.db
head -c 100000 /dev/zero > good.db-spool
refuse "rubbish beside a good database" 1 "good.db-spool" "$REPORT" good.db
