#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# Heaps that are too large for a snapshot to look at all of them: windows are drawn, and what they say
# stands for the whole. Known by construction, as in test_known_heap and test_known_pools.
. "$(dirname "$0")/lib_heap.sh"

need "the figures of a report" "$READER" sqlite3 || exit 0
export KPROF_RATE=16K KPROF_SPOOL_MAX=1G
is_drawn() { sql "$1" "SELECT max(partial & 4) FROM arena WHERE kind = '$2'"; }
waste() { heap 'sum(a["waste"] for a in j["arenas"] if a["kind"] == "'"$1"'")'; }
# Four standard errors: once in 16,000 runs.
assert_told() # what, truth, actual
{
    assert_range "$1 is off by no more than twice what the report says" -2 2 "$(heap "($3 - $2) / j['within']")"
    assert_range "which is little [$1]" 0.001 0.15 "$(heap "j['within'] / $2")"
}
whole_waste() { awk -v h="$(truth held)" -v u="$(truth in_use)" 'BEGIN { print h - u }'; }

HEADER=8 heap_of large.db "$T/known_heap" 80000
assert_eq "windows are drawn [glibc]" 4 "$(is_drawn large.db 'glibc main')"
assert_near "bytes held [glibc]" "$(truth held)" "$(heap 'j["held"]')" 2
assert_near "what is kept by others [glibc]" "$(whole_waste)" "$(waste 'glibc main')" 15
assert_told "what is kept by others [glibc]" "$(whole_waste)" "$(waste 'glibc main')"
assert_eq "the planted line comes first [glibc]" planted_block \
    "$(heap 'j["blame"][0]["stack"][0]["function"]')"

heap_of pools.db "$READER" "$ROOT/tests/fragmentation/known_pools.py" 300000 || exit 0
if [ "$(is_drawn pools.db pymalloc)" != 4 ]; then
    skip "drawn pools" "this Python has no allocator of its own"
    exit 0
fi
assert_near "bytes of the class in use [pymalloc]" $(($(truth blocks) * 464)) \
    "$(heap 'next(a["in_use"] for a in j["arenas"] if a["unit"] == 464)')" 15
assert_near "what is kept by others [pymalloc]" $(($(truth blocks) * 464 * 7)) "$(waste pymalloc)" 20
assert_told "what is kept by others [pymalloc]" $(($(truth blocks) * 464 * 7)) "$(waste pymalloc)"
assert_eq "the planted line comes first [pymalloc]" planted \
    "$(heap 'next(f["function"] for f in j["blame"][0]["stack"] if f["lang"] == "python")')"
