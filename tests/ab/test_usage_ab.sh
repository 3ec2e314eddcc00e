#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# kprof-ab as people use it: help, wrong usage, missing allocators, commands that fail or hang,
# interruption and resumption, files that are not its own.
. "$(dirname "$0")/lib_ab.sh"

need "the use of kprof-ab" sqlite3 "${CC:-cc}" || exit 0
build_churn
export TMPDIR=$TMP/temporary
mkdir "$TMPDIR"

status_of() # expected, command...: what it says on stderr is in said
{
    local expected=$1 status
    shift
    timeout 60 "$@" > out.txt 2> said.txt < /dev/null
    status=$?
    said=$(cat said.txt)
    assert_eq "exit status of: ${*:1:5}" "$expected" "$status"
}

status_of 0 "$AB" --help
assert_match "the help names the allocators" 'arena2 +MALLOC_ARENA_MAX=2' "$(cat out.txt)"
status_of 0 "$AB" --version
assert_match "the version" '^kprof-ab [0-9.]+$' "$(cat out.txt)"
status_of 2 "$AB"
assert_match "no arguments: one line that says what is missing" '^kprof-ab: which command\? usage: ' "$said"
status_of 2 "$AB" --runs 0 -- true
status_of 2 "$AB" --no-such -- true
status_of 2 "$AB" --allocators glibc,nomalloc -- true
assert_match "an allocator that does not exist" "'nomalloc' is not NAME" "$said"
for wrong in VAR VAR= =1 VAR=1,,2 "VAR=1," 'A B=1'; do status_of 2 "$AB" --sweep "$wrong" -- true; done
status_of 2 "$AB" --sweep W=1 --sweep V=1 --sweep W=2 -- true
assert_match "a variable that is swept twice" '^kprof-ab: --sweep: W is named twice' "$said"
status_of 0 "$AB" --no-probe --runs 1 --sweep W=1,1 -- true
assert_match "a value twice shows what chance does; one run each has no interval" \
    '^W=1 \(2\) +1 .* [0-9.]+ +- +- ' "$(cat out.txt)"
status_of 1 "$AB" -- no-such-command-here
assert_eq "a command that is not there" "kprof-ab: no-such-command-here: command not found" "$said"
status_of 1 "$AB" -- sh -c 'echo bad weather >&2; exit 3'
assert_eq "a command that always fails is given up at once" \
    "kprof-ab: every run of the command fails (exit 3); it says: bad weather" "$said"
status_of 1 "$AB" --allocators ./nothing.so -- true

status_of 0 "$AB" --no-probe --runs 1 --allocators glibc,/nowhere/libx.so -- true
assert_match "an allocator that is not there is named and left out" '^LEFT OUT .*/nowhere/libx.so' "$(cat out.txt)"

# One file that is no library, one database of somebody else: told, and left alone.
echo text > text.db
sqlite3 other.db 'CREATE TABLE theirs (a)'
for file in text.db other.db; do
    cp $file before
    status_of 1 "$AB" -o $file -- true
    assert_match "$file is told to be no comparison" "no comparison of kprof-ab; choose another name" "$said"
    assert_same_file "$file is left alone" before $file
done

# What was asked for once holds when the comparison is taken up again.
status_of 0 "$AB" -o kept.db --keep-output --no-probe --runs 1 --allocators glibc,arena1 -- echo spoken
status_of 1 "$REPORT" kept.db
assert_match "kprof-report says what shows a comparison" 'kept.db is a comparison .* kprof-ab -o kept.db$' "$said"
status_of 0 "$AB" -o kept.db --runs 2
assert_match "the command goes on writing where kprof-ab does" '^spoken' "$(cat out.txt)"

# A run that fails now and then is counted and shown, and its figures are in no average.
cat > flaky.sh << 'SH'
n=$(($(cat count 2> /dev/null || echo 0) + 1)); echo $n > count
[ $((n % 4)) -ne 0 ] || { sleep 2; echo "the fourth fails" >&2; exit 7; }
./churn 2 2 3
SH
status_of 0 "$AB" --json --no-probe --runs 4 -o flaky.db --allocators glibc,arena1 -- sh flaky.sh
cp out.txt flaky.json
assert_eq "two of eight runs failed" 2 \
    "$(sqlite3 :memory: "SELECT sum(json_extract(value, '\$.failed')) FROM json_each(readfile('flaky.json'), '\$.configurations')")"
assert_eq "and are shown with what they said" "exit 7|the fourth fails" \
    "$(json flaky.json '$.failures[0].outcome')|$(json flaky.json '$.failures[0].said')"
assert_range "and are in no average" 0 "$(sqlite3 flaky.db "SELECT max(wall_s) * 1.001 FROM run WHERE outcome = 'ok'")" \
    "$(of_configuration flaky.json glibc wall.high)"
rm count flaky.db

# A run that hangs.
# shellcheck disable=SC2016 # for the inner shell
status_of 0 "$AB" --json --no-probe --timeout 1 --runs 1 --allocators glibc,arena1 -- \
    sh -c '[ -z "$MALLOC_ARENA_MAX" ] || { sleep 61.7 & sleep 61.7; }'
cp out.txt hang.json
assert_eq "a run that takes too long has failed, with all its processes" timeout "$(json hang.json '$.failures[0].outcome')"
assert_eq "nothing of it is left" "" "$(pgrep -fx 'sleep 61.7')"

# What is preloaded cannot be preloaded into: a static program.
gcc -static -o still churn.c 2> /dev/null || echo 'int main(void) { return 0; }' | gcc -static -x c -o still -
status_of 1 "$AB" -- ./still
assert_match "a static program: no allocator can be put into it" 'is statically linked: no allocator' "$said"

# Values with which the program fails have no figures, and are no end of the sweep.
# shellcheck disable=SC2016 # for the inner shell
printf '[ "$W" != x ] || exit 3\nexec ./churn 2 2 3\n' > value.sh
status_of 0 "$AB" --no-probe --runs 1 --sweep W=1,x -- sh value.sh
assert_match "a value that fails has no figures" '^W=x +0 +0 % +- +- ' "$(cat out.txt)"

# A comparison that is not there cannot go on, and none that came to nothing is left.
status_of 2 "$AB" -o nothing.db
assert_match "a database that is not there, and no command" 'nothing.db is not there; to begin with it' "$said"
status_of 1 "$AB" -o nothing.db -- ./no_such_command
status_of 1 "$AB" -o nothing.db --runs 1 --allocators glibc -- false
assert_eq "no database without a run is left" "nothing.db*" "$(echo nothing.db*)"
status_of 1 "$AB" -o no_such_directory/x.db -- ./churn 1 1 1
assert_match "a directory that is not there" 'cannot open no_such_directory/x.db: No such file or directory' "$said"

# Ctrl-C after some runs, and going on; the numbers of before are kept.
"$AB" -o going.db --no-probe --runs 3 --allocators glibc,arena1 -- ./churn 4 4 30 > first.txt 2> said.txt &
pid=$!
# shellcheck disable=SC2016 # eval expands it
wait_for 20 eval '[ "$(sqlite3 going.db "SELECT count(*) FROM run" 2> /dev/null || echo 0)" -ge 2 ]'
kill -INT $pid
wait $pid
assert_eq "an interrupted comparison has exit status 130" 130 $?
assert_match "and says how to go on" 'interrupted after [0-9]+ runs; go on with: kprof-ab -o going.db' "$(cat said.txt)"
before=$(sqlite3 going.db "SELECT id, wall_s FROM run ORDER BY id LIMIT 2")
status_of 0 "$AB" -o going.db
assert_match "it goes on without being told the command or the number of runs" '^./churn 4 4 30: 2 configurations, 3 runs each' "$(cat out.txt)"
assert_eq "each run was made once" "6|6" "$(sqlite3 going.db "SELECT count(*), count(DISTINCT configuration_id || '.' || round) FROM run")"
assert_eq "runs of before are as they were" "$before" "$(sqlite3 going.db "SELECT id, wall_s FROM run ORDER BY id LIMIT 2")"
assert_eq "interleaved: there and back" "1 2 2 1 1 2" "$(sqlite3 going.db "SELECT group_concat(configuration_id, ' ') FROM (SELECT * FROM run ORDER BY id)")"
status_of 1 "$AB" -o going.db --runs 3 -- ./churn 1 1 1
assert_match "another command is another comparison" 'compares another command; choose another name' "$said"
status_of 1 "$AB" -o going.db --allocators glibc,arena2
assert_match "other configurations too" 'compares other configurations' "$said"
status_of 0 "$AB" -o going.db --runs 4 --json
assert_eq "a finished one can have more runs" 4 "$(json out.txt '$.configurations[0].runs')"
assert_eq "no file beside the database" "going.db" "$(echo going.db*)"
assert_eq "no temporary file is left" "" "$(ls "$TMPDIR")"
