#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# long-limit: 1500
# The verdict of kprof-ab where the answer is known: one arena wins for threads that take turns; two
# identical configurations are no evidence for a switch; a leak is told to be one. JSON as promised.
. "$(dirname "$0")/lib_ab.sh"

need "verdicts of kprof-ab" sqlite3 "${CC:-cc}" || exit 0
build_churn
KNOWN=1 SAME=2
[ "$LONG" = 0 ] || KNOWN=10 SAME=20

found=0
for ((i = 0; i < KNOWN; i++)); do
    "$AB" --json --no-probe --allocators glibc,trim,arena1 -- ./churn 8 4 12 > known.json
    [ "$(json known.json '$.verdict.env')" = MALLOC_ARENA_MAX=1 ] && found=$((found + 1))
done
assert_eq "threads that take turns: one arena for all wins the memory, in each of $KNOWN trials" $KNOWN $found

none=0
for ((i = 0; i < SAME; i++)); do
    "$AB" --json --no-probe --allocators glibc,glibc -- ./churn 4 4 12 > same.json
    [ "$(json same.json '$.verdict.kind')" = "no evidence for a switch" ] && none=$((none + 1))
done
assert_range "two identical configurations are no evidence for a switch ($SAME trials)" $((SAME * 19 / 20)) $SAME $none

# A leak: by the recorded runs, in the same comparison.
"$AB" --json -o leak.db --allocators glibc,arena1 -- ./churn 4 1 400 4000 > leak.json
assert_eq "a leak is told" 1 "$(json leak.json '$.verdict.leak')"
assert_range "how much grows per iteration" 3200 4800 "$(json leak.json '$.verdict.live_slope.value')"
"$AB" -o leak.db > leak.txt
assert_match "and that no allocator will fix it" 'No allocator will fix this: it is a leak' "$(cat leak.txt)"
assert_eq "the program without the leak is told no such thing" 0 "$(json known.json '$.verdict.leak')"
assert_range "what the profiler costs is told" 0.05 50 "$(json leak.json '$.probe_effect.value')"

# The keys of the contract.
missing=
for key in name env runs wall.value wall.low wall.high iteration.p50 iteration.p95 iteration.p99 cpu.value peak_rss.value \
    steady_rss.value ratio.wall.value ratio.peak_rss.high ratio.steady_rss.low; do
    [ -n "$(json known.json "\$.configurations[1].$key")" ] || missing="$missing $key"
done
for key in verdict.choice verdict.reason verdict.env; do
    [ -n "$(json known.json "\$.$key")" ] || missing="$missing $key"
done
assert_eq "JSON has the keys that scripts rely on" "" "$missing"
assert_eq "the environment of a configuration" 1 "$(of_configuration known.json 'glibc ARENA_MAX=1' env.MALLOC_ARENA_MAX)"
assert_eq "marks are counted" 96 "$(of_configuration known.json glibc iteration.count)"

# Peak and faults are what the kernel says.
/usr/bin/env python3 - ./churn 8 4 12 > kernel.txt 2> /dev/null << 'PY' || true
import os, resource, sys
pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
usage = os.wait4(pid, 0)[2]
print(usage.ru_maxrss * 1024, usage.ru_minflt)
PY
read -r peak faults < kernel.txt
assert_range "the peak is the kernel's, within 3 %" "$(awk "BEGIN { print 0.97 * $peak }")" "$(awk "BEGIN { print 1.03 * $peak }")" \
    "$(of_configuration known.json glibc peak_rss.value)"
assert_range "so are minor faults, within 5 %" "$(awk "BEGIN { print 0.95 * $faults }")" "$(awk "BEGIN { print 1.05 * $faults }")" \
    "$(of_configuration known.json glibc minor_faults.value)"

# Rest: what an allocator gives back when nothing happens.
"$AB" --json --no-probe --idle 2 --runs 2 -o idle.db --allocators glibc,arena1 -- ./churn 4 4 12 > idle.json
assert_range "idle RSS is read in the rest" 1000000 60000000 "$(of_configuration idle.json glibc idle_rss.value)"
assert_range "and the rest is not counted as time: a run lasts longer than what is counted" 1.8 1000 "$(sqlite3 idle.db \
    'SELECT min(m.last_s - wall_s) FROM run JOIN (SELECT run_id, max(time_s) AS last_s FROM memory GROUP BY run_id) m ON m.run_id = run.id')"

# The collector of a recorded run takes time and memory of its own: none of it counts for the run that
# follows, which is the last configuration's in every second round.
"$AB" --json --runs 4 --allocators glibc,arena1 -- ./churn 1 1 1 > small.json
assert_range "what the profiler leaves to do is in no other run's CPU time" 0 0.04 "$(of_configuration small.json 'glibc ARENA_MAX=1' cpu.value)"
assert_range "nor in its peak" 0.5 2 "$(of_configuration small.json 'glibc ARENA_MAX=1' ratio.peak_rss.value)"
