#!/bin/bash
# SPDX-License-Identifier: MIT
# Files that are no database of ours, or a damaged one: one clear line, exit 1, nothing on stdout,
# no byte changed and nothing left beside it. What is in range of SQLite but not of sense neither
# crashes nor prints garbage.
. "$(dirname "$0")/cli.sh"

untouched() # what, status, message, file: for every report and format
{
    local before after options
    rm -f stdout.txt stderr.txt
    before=$(stat -c '%i %s %Y %Z' "$4" 2>/dev/null; sha256sum "$4" 2>/dev/null; ls -A)
    for options in "" "sites" "tree --json" "processes --csv" "timeline" "--no-wait"; do
        # shellcheck disable=SC2086
        refuse "$1${options:+ ($options)}" "$2" "$3" "$REPORT" "$4" $options
        rm -f stdout.txt stderr.txt
    done
    after=$(stat -c '%i %s %Y %Z' "$4" 2>/dev/null; sha256sum "$4" 2>/dev/null; ls -A)
    assert_eq "$1: the file is untouched, nothing is beside it" "$before" "$after"
}

untouched "a file that is not there" 1 "^kprof-report: no such file: nowhere.db$" nowhere.db
mkdir directory.db
untouched "a directory" 1 "^kprof-report: directory.db is a directory" directory.db
: > empty.db
untouched "an empty file" 1 "^kprof-report: empty.db is empty" empty.db
echo 'hello, world' > text.db
untouched "a text" 1 "^kprof-report: text.db is not a kprof database" text.db
mkfifo pipe.db
refuse "a pipe" 1 "^kprof-report: pipe.db is not a regular file" timeout 10 "$REPORT" pipe.db
refuse "a device" 1 "/dev/null is not a regular file" "$REPORT" /dev/null
sqlite3 foreign.db 'CREATE TABLE site (a)'
untouched "another program's database" 1 "^kprof-report: foreign.db is a database of another program" foreign.db
sqlite3 foreign_wal.db 'PRAGMA journal_mode = WAL; CREATE TABLE site (a)' > /dev/null
untouched "another program's database in WAL mode" 1 "foreign_wal.db is a database of another program" foreign_wal.db
fixture engine newer.db 'PRAGMA user_version = 5'
untouched "a newer schema" 1 "^kprof-report: newer.db has schema 5, this kprof knows up to 4; use a newer" newer.db
fixture engine older.db 'PRAGMA user_version = 3'
untouched "an older schema" 1 "^kprof-report: older.db was made by an older version of kprof; record again$" older.db
fixture engine zero.db 'PRAGMA user_version = 0'
untouched "a schema of zero" 1 "zero.db is damaged" zero.db
fixture engine table.db 'DROP TABLE site'
untouched "a table is missing" 1 "table.db is damaged .*no such table" table.db
fixture engine whole.db
printf 'SQLite format 3\0' > header.db
head -c 100 whole.db > header100.db
untouched "nothing but the magic" 1 "header.db is a database of another program" header.db
untouched "nothing but a header" 1 "header100.db is damaged" header100.db
head -c 20000 whole.db > cut.db
untouched "a database that was cut" 1 "cut.db is damaged" cut.db
printf 'krfspool\1\0\0\0\0\0\1\0' > left.db-spool
refuse "a spool by name" 1 "left.db-spool is a spool; name its database: kprof-report left.db$" "$REPORT" left.db-spool
rm -f left.db-spool
if [ "$(id -u)" = 0 ]; then
    cp whole.db secret.db
    chmod 600 secret.db
    chmod 755 . && refuse "no permission" 1 "cannot open secret.db: permission denied|Permission denied" a_plain_user "$REPORT" secret.db
else
    cp whole.db secret.db
    chmod 0 secret.db
    refuse "no permission" 1 "Permission denied" "$REPORT" secret.db
fi

# Bit flips all over: a clear line or a report, never a signal, never a hang, never a change.
mkdir flips && cp whole.db flips/a.db
python3 - "$REPORT" << 'PY' > flips.txt 2>&1
import random, subprocess, sys, os
whole = open('flips/a.db', 'rb').read()
bad = 0
for seed in range(60):
    r = random.Random(seed)
    data = bytearray(whole)
    for _ in range(r.choice([1, 4, 30])):
        at = r.randrange(100, len(data)) if seed % 3 else r.randrange(0, 4096)
        data[at] ^= 1 << r.randrange(8)
    open('flips/b.db', 'wb').write(data)
    for options in ([], ['sites', '--json'], ['tree'], ['processes'], ['timeline', '--csv']):
        p = subprocess.run([sys.argv[1], 'flips/b.db'] + options, capture_output=True, timeout=20)
        lines = p.stderr.count(b'\n')
        if not (p.returncode == 0 and lines == 0 or p.returncode == 1 and lines == 1):
            print(seed, options, p.returncode, p.stderr[:300]); bad += 1
    if open('flips/b.db', 'rb').read() != data or sorted(os.listdir('flips')) != ['a.db', 'b.db']:
        print(seed, 'changed', os.listdir('flips')); bad += 1
sys.exit(bad > 0)
PY
assert_eq "flipped bits: a report or one line" "" "$(head -5 flips.txt)"

fixture odd odd.db
for report in summary sites tree "tree --bottom-up" processes timeline "sites --kind all --group line" "sites --site 1" \
    "sites --site 4 --all-frames" "tree --all-frames" "sites --group python-line" "sites --group native-line"; do
    for format in --json --csv --wide; do
        # shellcheck disable=SC2086
        timeout 20 "$REPORT" odd.db $report $format > out.txt 2> err.txt
        assert_eq "figures out of range: $report $format" "0 " "$? $(cat err.txt)"
        grep -qaiE '\b(nan|inf)\b' out.txt && not_ok "no NaN: $report $format" "$(grep -aiE '\b(nan|inf)\b' out.txt)"
        LC_ALL=C.UTF-8 grep -qaxvE '.*' out.txt && not_ok "valid UTF-8: $report $format" "$(head -c 300 out.txt)"
        [ $format = --wide ] && grep -qaP '[\x00-\x08\x0b-\x1f\x7f]' out.txt &&
            not_ok "no control characters: $report" "$(head -c 300 out.txt)"
        [ $format != --json ] || python3 -c 'import json, sys; json.load(open("out.txt"), parse_constant=sys.exit)' ||
            not_ok "valid JSON: $report" "$(head -c 300 out.txt)"
    done
done

# A recording is read where nothing can be written.
mkdir readonly && fixture engine readonly/a.db && chmod 444 readonly/a.db && chmod 555 readonly
a_plain_user "$REPORT" readonly/a.db > out.txt 2> err.txt
assert_eq "a read-only file in a read-only directory" "0 " "$? $(cat err.txt)"
assert_eq "nothing beside it" "a.db" "$(ls -A readonly)"
chmod 755 readonly
fixture engine wal.db
sqlite3 wal.db 'PRAGMA journal_mode = WAL' > /dev/null
before=$(sha256sum wal.db)
"$REPORT" wal.db > out.txt 2> err.txt
assert_eq "a database that has lost its -wal is read" "0 " "$? $(cat err.txt)"
assert_eq "and left as it was" "$before wal.db" "$(sha256sum wal.db) $(echo wal.db*)"
fixture engine 'a ?#%20b.db'
"$REPORT" 'a ?#%20b.db' > out.txt 2> err.txt
assert_eq "a name that looks like a URI" "0 " "$? $(cat err.txt)"
