#!/bin/bash
# SPDX-License-Identifier: MIT
# What `kprof-report DB leaks` says and how it ends: its first lines, its JSON as the contract has
# it, the gate, the comparison, its options, and a run without marks. Every allocation is recorded,
# so that the figures are known.
. "$(dirname "$0")/../lib.sh"

need "the leak report" sqlite3 jq "${CC:-cc}" || exit 0
"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-builtin -fno-inline -I "$ROOT/include" -o keeps "$ROOT/tests/leaks/keeps.c" ||
    not_ok "keeps.c can be built" "see above"
record() { KPROF_RATE=1 shim "$TMP/$1.db" ./keeps "${@:2}"; settle "$TMP/$1.db"; }
leaks() { "$REPORT" "$1.db" leaks "${@:2}" < /dev/null; }
figure() { leaks "$1" --json | jq -r "$2"; }
record large 300 1000 marks
record small 300 600 marks
record none 300 0 marks
record silent 6000 1000 silent
record few 3 1000 marks
record late 300 1000 late

said=$(leaks large)
assert_match "the first line says that it leaks, how much and since when" \
    '^It leaks: 1\.00 KB per iteration.*, linear since iteration [0-9]+ of 300\.$' "$(head -1 <<< "$said")"
assert_match "the second says where, and on which side" \
    '^It comes from keeps\.c:[0-9]+ forget.*in native code of keeps' "$(sed -n 2,3p <<< "$said" | tr '\n' ' ')"
assert_match "the third says when memory is full" 'is reached in' "$(sed -n 3,4p <<< "$said")"
assert_match "RSS is split into what is live, held and other" 'RSS (grew|fell) .* live [+-] .* held' "$said"
assert_match "the last line says what to type next" '^next: kprof-report large.db leaks --site 1' "$(tail -1 <<< "$said")"
assert_match "--site 1 shows the whole stack" 'main' "$(leaks large --site 1)"
assert_eq "without a leak it says so" "No leak" "$(leaks none | head -1 | cut -c1-7)"

keys='[.iterations, .total.rate.value, .total.rate.low, .total.rate.high, .slopes.rss, .slopes.live, .slopes.held,
    .slopes.other, .smallest_detectable, .warmup_until, .attributed.value, .sites[0].rate.value, .sites[0].onset,
    .sites[0].survivors, .time_to[0].bytes, .time_to[0].iterations.value, .time_to[0].seconds.low] | map(type) | unique[]'
assert_eq "the figures of the contract are numbers" number "$(figure large "$keys")"
assert_eq "verdict, source and stack are there" "leak|leak|marks|array|native" \
    "$(figure large '[.total.verdict, .sites[0].verdict, .iteration_source, (.sites[0].stack | type), .sites[0].side] | join("|")')"
assert_range "the rate is what was forgotten" 990 1010 "$(figure large .total.rate.value)"
assert_range "and the place explains all of it" 0.98 1.02 "$(figure large .attributed.value)"
assert_eq "CSV has a row for the place" "1" "$(leaks large --csv | grep -c ',leak,native,')"

low=$(figure large .total.rate.low)
leaks large --fail-above "$(awk -v l="$low" 'BEGIN { printf "%d", l - 1 }')" > /dev/null 2> gate.txt
assert_eq "the gate is exceeded when the lower bound is above it" 3 $?
assert_match "and one line says so" '^kprof-report: it leaks at least .* per iteration, more than ' "$(cat gate.txt)"
assert_eq "it is one line" 1 "$(wc -l < gate.txt | tr -d ' ')"
leaks large --fail-above "$(awk -v l="$low" 'BEGIN { printf "%d", l + 1 }')" > /dev/null 2> gate.txt
assert_eq "and is not when the bound is below, although the rate may be above" "0|" "$?|$(cat gate.txt)"
leaks none --fail-above 0 > /dev/null
assert_eq "a run without a leak passes a gate of 0" 0 $?

assert_range "--baseline: the difference of two rates" 380 420 \
    "$(leaks large --baseline small.db --json | jq .baseline.difference.value)"
assert_match "in words" 'Against small\.db: \+[0-9]+ B per iteration .*which is worse' "$(leaks large --baseline small.db | tr '\n' ' ')"
cp keeps keeps2
KPROF_RATE=1 shim "$TMP/other.db" ./keeps2 300 600 marks; settle "$TMP/other.db"
assert_match "a baseline of another program is told of" 'But other\.db is a recording of another program: of keeps2, this one of keeps\.' \
    "$(leaks large --baseline other.db | tr -s '\n ' ' ')"
assert_eq "and one of the same program is not" "" "$(leaks large --baseline small.db | grep 'another program')"
leaks large --baseline small.db --fail-above 300B > /dev/null 2>&1
assert_eq "the gate is then on the difference: above" 3 $?
leaks large --baseline small.db --fail-above 500B > /dev/null 2>&1
assert_eq "and below" 0 $?
KPROF_RATE=256K shim "$TMP/sparse.db" ./keeps 300 600 marks; settle "$TMP/sparse.db"
assert_match "a run that was hardly sampled is compared with nothing" 'Against sparse\.db: no comparison, since sparse\.db has not enough evidence' \
    "$(leaks large --baseline sparse.db | tr -s '\n ' ' ')"
assert_match "whichever of the two it is" 'Against large\.db: no comparison, since this run has not' \
    "$(leaks sparse --baseline large.db | tr -s '\n ' ' ')"
assert_eq "nor is there a difference" null "$(leaks sparse --baseline large.db --json | jq .baseline.difference)"
leaks large --baseline sparse.db --fail-above 300B > /dev/null 2>&1
assert_eq "the gate is then on the rate itself" 3 $?
leaks large --baseline large.db --fail-above 0 > /dev/null 2>&1
assert_eq "a run is no worse than itself" 0 $?

for group in line function module side; do
    assert_range "--group $group: the same rate" 985 1015 "$(leaks large --group $group --json | jq '.sites[0].rate.value')"
done
assert_range "--since looks at the end alone" 200 300 "$(leaks large --since 200 --json | jq .warmup_until)"
assert_range "--until leaves the end out" 990 1010 "$(leaks large --until 200 --json | jq .sites[0].rate.value)"
assert_range "--limit says how far memory may grow" 99000000 101000000 "$(leaks large --limit 100MB --json | jq '.time_to[1].bytes')"
assert_match "a leak that began late is no burst: it says how to look" '^what comes in bursts may .* with --since 151$' \
    "$(COLUMNS=200 leaks late)"
assert_match "and there it is" '^It leaks: ' "$(leaks late --since 151)"
assert_match "a limit that RSS is above already is said to be reached" '^The limit of 1 B is reached: RSS is' "$(leaks large --limit 1)"

assert_match "without marks it says that it goes by slices of time" 'No iterations were marked' "$(leaks silent | tr '\n' ' ')"
assert_eq "and in JSON" "time slices|leak" "$(figure silent '[.iteration_source, .total.verdict] | join("|")')"
assert_match "rates are then per second" 'per second' "$(leaks silent | head -1)"
leaks few > few.txt
assert_eq "three iterations are no reason to fail" 0 $?
assert_match "but too few to go by, and it says so" 'Not enough evidence: the run was too short.*Only 3 of at least 16 iterations were marked' \
    "$(tr -s '\n ' ' ' < few.txt)"
assert_eq "and in JSON" "not enough evidence|null" "$(figure few '[.total.verdict, (.smallest_detectable | tostring)] | join("|")')"
for window in '--since 301' '--since 200 --until 100'; do
    # shellcheck disable=SC2086
    leaks large $window --fail-above 1 > out.txt 2> err.txt
    assert_eq "$window: an error, and no gate that is passed" "1|0|1" "$?|$(wc -c < out.txt)|$(grep -c 'the run has 300 iterations' err.txt)"
done
assert_match "a window of five iterations says that it is too short" '^Not enough evidence: these iterations are too few' "$(leaks large --since 295)"
KPROF_RATE=1 shim "$TMP/family.db" sh -c './keeps 40 1000 marks; ./keeps 60 0 marks; exec ./keeps 5 100 marks'
settle "$TMP/family.db"
assert_match "of several processes the one with most iterations is judged, and the others are told of" \
    'No leak found.*This is process [0-9]+, which has the most iterations; 1 more has some: --process PID' "$(leaks family | tr -s '\n ' ' ')"
leaker=$(sql family.db "SELECT pid FROM process p JOIN mark m ON m.process_id = p.id GROUP BY p.id HAVING max(iteration) = 40")
assert_match "which --process shows" '^It leaks: 1\.00 KB per iteration' "$(leaks family --process "$leaker")"
record killed 300 1000 marks killed 2> /dev/null
assert_match "a process that was killed in the middle is judged as far as it came" '^It leaks: 1\.00 KB per iteration' "$(leaks killed)"
sqlite3 large.db "$(printf '%s;' 'CREATE TABLE m AS SELECT * FROM mark' \
    'UPDATE mark SET malloc_used = malloc_used * (1 + iteration % 7), rss = CASE WHEN iteration % 2 THEN 0 ELSE rss * 1000 END')"
leaks large > /dev/null
assert_eq "totals that jump are no reason to fail" 0 $?
sqlite3 large.db 'UPDATE mark SET malloc_used = 900000000 - iteration * 1000'
assert_match "totals that fall speak against the places" '^No' "$(leaks large | head -1)"
sqlite3 large.db 'DELETE FROM mark; INSERT INTO mark SELECT * FROM m; DROP TABLE m'
leaks large --site 99 > /dev/null 2> err.txt
assert_eq "a place that is not there is an error" "1|1" "$?|$(wc -l < err.txt | tr -d ' ')"
"$REPORT" large.db sites --fail-above 1 > /dev/null 2>&1
assert_eq "the gate goes with leaks only" 2 $?
leaks large --group native-line > /dev/null 2>&1
assert_eq "a group that leaks do not have is wrong usage" 2 $?
