#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the database goes: %p and %e, the default name, a folder that is missing or may not be
# written, a finished recording replaced, any other file left alone, two runs into one name.
. "$(dirname "$0")/../lib.sh"

run() { LD_PRELOAD=$SHIM KPROF_RATE=1 "$T/mix" 1 500 > out.txt 2> err.txt; }

mkdir names && cd names || exit 1
# The name of the one recording here, whether the collector has made its database yet or not.
only() { find . -maxdepth 1 -name "$1*" | sed 's,^\./,,; s,\(\.db\).*,\1,' | sort -u; }

run
db=$(only kprof-mix-)
assert_match "the default is kprof-PROGRAM-PID.db in the working directory" '^kprof-mix-[0-9]+\.db$' "$db"
assert_whole "default name" "$PWD/$db"
assert_eq "the pid in it is the program's" "kprof-mix-$(sql "$db" "SELECT pid FROM process WHERE origin = 'root'").db" "$db"
KPROF_DB="x-%e-%%-%p.db" run
assert_match "%p, %e and %% are replaced" '^x-mix-%-[0-9]+\.db$' "$(only x-)"
settle "$PWD/$(only x-)"
KPROF_DB="with space 'and quote.db" run
assert_whole "a name with a space and a quote" "$PWD/with space 'and quote.db"

KPROF_DB=$TMP/no/such/folder/x.db run
assert_eq "a folder that does not exist: the program runs, one line" "0|1" "$?|$(lines_of err.txt)"
assert_match "the line names the folder" '^kprof: .*no/such/folder' "$(cat err.txt)"
if [ "$(id -u)" = 0 ]; then
    mkdir closed open
    chmod 555 closed
    chmod 755 "$TMP" "$TMP/names"
    a_plain_user env LD_PRELOAD="$SHIM" KPROF_DB="$PWD/closed/x.db" "$T/mix" 1 500 > out.txt 2> err.txt
    status=$?
    if [ $status = 0 ]; then
        assert_eq "a folder that may not be written: the program runs, one line" 1 "$(grep -c '^kprof: ' err.txt)"
    else
        skip "a folder that may not be written" "another user cannot run the build: $(head -1 err.txt)"
    fi
fi

db=$PWD/again.db
KPROF_DB=$db run
settle "$db"
first=$(sql "$db" 'SELECT session FROM session')
KPROF_DB=$db run
assert_eq "a finished recording of that name is replaced, without a word" "0|" "$?|$(cat err.txt)"
assert_whole "replaced" "$db"
assert_eq "it is another one now" no "$([ "$first" = "$(sql "$db" 'SELECT session FROM session')" ] && echo yes || echo no)"

refused() # what the file is, its name
{
    cp "$2" before
    KPROF_DB=$PWD/$2 run
    assert_eq "$1 is left alone; the program runs" 0 $?
    assert_same_file "$1 is untouched" before "$2"
    assert_eq "$1: one line says where the recording goes" 1 "$(lines_of err.txt)"
    local name
    name=$(grep -oE "${2%.db}[^ ;:]*[0-9][^ ;:/]*" err.txt | head -1)
    assert_match "$1: to a numbered name" . "$name"
    [ -n "$name" ] && assert_whole "$1" "$PWD/$name"
}
echo "dear diary" > diary.db
refused "a text file" diary.db
sqlite3 theirs.db 'CREATE TABLE mine(x); INSERT INTO mine VALUES (1)'
refused "another program's SQLite database" theirs.db
rm -f ./*.db*
ln -s nowhere.db link.db
KPROF_DB=$PWD/link.db run
assert_eq "a link to nothing is left alone; the program runs, one line says where the recording goes" \
    "0|1|nowhere.db|no" "$?|$(grep -c 'link.db exists.*link-1.db' err.txt)|$(readlink link.db)|$([ -e link.db-spool ] && echo yes || echo no)"
assert_whole "beside a link to nothing" "$PWD/link-1.db"
KPROF_DB=$PWD/$(printf 'x%.0s' {1..300}).db run
assert_eq "a name that is too long: the program runs, one line says so" "0|1" "$?|$(grep -c 'cannot create .*too long' err.txt)"
echo "dear diary" > diary.txt
KPROF_DB=$PWD/diary.txt/x.db run
assert_eq "a file where a folder should be: the program runs, one line says so" "0|1" "$?|$(grep -c 'cannot create .*not a directory' err.txt)"
: > empty.db
KPROF_DB=$PWD/empty.db run
assert_eq "an empty file of that name: the program runs" 0 $?

# Left behind unfinished (the library alone, no collector): not overwritten by the next run.
mkdir "$TMP/alone"
cp "$SHIM" "$TMP/alone/"
db=$PWD/left.db
LD_PRELOAD=$TMP/alone/libkprof.so KPROF_RATE=1 KPROF_DB=$db "$T/mix" 1 500 > out.txt 2> err.txt
if [ -e "$db-spool" ]; then
    cp "$db-spool" before
    KPROF_DB=$db run
    assert_eq "an unfinished recording is not overwritten: one line says so" "0|1" "$?|$(lines_of err.txt)"
    assert_same_file "the unfinished recording is untouched" before "$db-spool"
    other=$(grep -oE 'left[^ ;:]*[0-9][^ ;:/]*\.db|left\.db[^ ;:]*[0-9]+' err.txt | head -1)
    [ -n "$other" ] && assert_whole "beside the unfinished one" "$PWD/$other"
    assert_whole "the unfinished one, later" "$db"
    assert_eq "and it is whole" 6000 "$(under "$db" mixed_blocks live_count)"
else
    skip "an unfinished recording is not overwritten" "a collector was found (is kprof installed?)"
fi

# Two at once into one name: both are recorded, in two files.
mkdir two
for n in 1 2; do
    (LD_PRELOAD=$SHIM KPROF_RATE=1 KPROF_DB=$PWD/two/same.db exec "$T/mix" 1 20000 > two/out$n 2> two/err$n) &
done
wait
rm -f two/out? 
for file in two/*.db*; do case $file in *-spool | *-wal | *-shm) ;; *.said | *.json) ;; *) settle "$PWD/$file" ;; esac; done
rm -f two/*.json two/*.said
assert_eq "two at once into one name: two recordings, nothing else" "2|2" \
    "$(find two -name 'same*' | wc -l)|$(cat two/err? | wc -l | awk '{ print $1 + 1 }')"
for file in two/same*; do
    assert_eq "each of the two is whole" "1|6000" "$(sql "$file" 'SELECT finished FROM session')|$(under "$file" mixed_blocks live_count)"
done
