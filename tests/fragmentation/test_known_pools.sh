#!/bin/bash
# SPDX-License-Identifier: MIT
# Python's own allocator: the size class that a script fills is known by construction, the whole by
# what Python says of itself (sys._debugmallocstats) just before it ends. It does so only when nobody
# stands in front of its allocator: in a run without the library.
. "$(dirname "$0")/lib_heap.sh"
PYTHON=${KPROF_TEST_PYTHON:-$READER}

need "the pools of Python" "$PYTHON" "$READER" || exit 0
PYTHON=$("$PYTHON" -c 'import sys; print(sys.executable)')
export KPROF_RATE=1
heap_of pools.db "$PYTHON" "$ROOT/tests/fragmentation/known_pools.py" || exit 0
"$PYTHON" "$ROOT/tests/fragmentation/known_pools.py" > /dev/null 2> said.txt
if ! grep -q 'bytes in allocated blocks' said.txt; then
    skip "the pools of Python" "it has no allocator of its own"
    exit 0
fi

# "# bytes in allocated blocks        =      1,234,567"
said() { sed -n "s/^.*$1 *= *\([0-9,]*\)\$/\1/p" said.txt | tail -1 | tr -d ,; }
assert_near "bytes in use" "$(said 'bytes in allocated blocks')" \
    "$(heap 'next(a["in_use"] for a in j["arenas"] if a["kind"] == "pymalloc")')" 2
assert_near "bytes of arenas" "$(sed -n 's/^[0-9]* arenas \* [0-9]* bytes.arena *= *\([0-9,]*\)$/\1/p' said.txt | tail -1 | tr -d ,)" \
    "$(heap 'next(a["size"] for a in j["arenas"] if a["kind"] == "pymalloc")')" 2
assert_near "bytes of the class in use" $(($(truth blocks) * 464)) \
    "$(heap 'next(a["in_use"] for a in j["arenas"] if a["unit"] == 464)')" 2
# A pool has a header of 48 bytes, and is 16 KiB large from 3.10 on, before 4 KiB.
pool=$("$PYTHON" -c 'import sys; print(16384 if sys.version_info >= (3, 10) else 4096)')
in_a_pool=$(((pool - 48) / 464))
assert_near "bytes of the class held" $(($(truth blocks) * 8 * pool / in_a_pool)) \
    "$(heap 'next(a["size"] for a in j["arenas"] if a["unit"] == 464)')" 2
assert_eq "the planted line comes first" planted \
    "$(heap 'next(f["function"] for f in j["blame"][0]["stack"] if f["lang"] == "python")')"
assert_range "and has at least 80 % of the waste" 0.8 1 \
    "$(heap 'j["blame"][0]["bytes"]["value"] / sum(b["bytes"]["value"] for b in j["blame"])')"
assert_range "the snapshot is from before Python takes its memory down" 3 1000 \
    "$(heap 'j["blame"][0]["live"] / 1e6')"
assert_range "RSS is explained" 0.95 1 "$(heap '1 - j["rss"]["unexplained"] / j["rss"]["total"]')"
