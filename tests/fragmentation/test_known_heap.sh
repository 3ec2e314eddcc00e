#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# long-limit: 400
# A heap that was built so that everything about it is known, under each allocator: what is in use
# and held, who keeps it, and with KPROF_PAGES=1 page by page. The program's own blocks are all but
# a few KB of the heap.
. "$(dirname "$0")/lib_heap.sh"

# glibc's own 8 bytes before each block count as given out, others have none.
known() # allocator, environment...
{
    local header=0
    [ "$1" = glibc ] && header=8
    BEHIND=$(library_of "$1")
    shift
    HEADER=$header heap_of known.db env "$@" "$T/known_heap"
    rm -f known.db
}

check() # allocator, label
{
    assert_eq "the allocator is told [$2]" "$1" "$(heap 'j["allocator"]')"
    assert_near "bytes in use [$2]" "$(truth in_use)" "$(heap 'j["in_use"]')" 2
    assert_near "bytes held [$2]" "$(truth held)" "$(heap 'j["held"]')" 2
    assert_near "external fragmentation [$2]" \
        "$(awk -v u="$(truth in_use)" -v h="$(truth held)" 'BEGIN { print 1 - u / h }')" \
        "$(heap 'j["external"]')" 2
    assert_eq "the planted line comes first [$2]" planted_block "$(heap 'j["blame"][0]["stack"][0]["function"]')"
    assert_range "and has at least 80 % of the waste [$2]" 0.8 1 \
        "$(heap 'j["blame"][0]["bytes"]["value"] / sum(b["bytes"]["value"] for b in j["blame"])')"
    assert_range "RSS is explained [$2]" 0.95 1 "$(heap '1 - j["rss"]["unexplained"] / j["rss"]["total"]')"
}

check_pages() # allocator
{
    assert_near "pages with something in them [$1]" "$(truth pages)" \
        "$(heap 'sum(o["cells"] for o in j["occupancy"] if o["full"] != "empty")')" 5
    assert_near "what of these pages is not given out [$1]" "$(truth waste)" \
        "$(heap 'sum(b["bytes"]["value"] for b in j["blame"])')" 5
    assert_near "the planted line's part [$1]" "$(truth planted_waste)" \
        "$(heap 'sum(b["bytes"]["value"] for b in j["blame"] if b["stack"][0]["function"] == "planted_block")')" 5
}

need "the figures of a report" "$READER" || exit 0
export KPROF_RATE=1
known glibc && check glibc 'glibc, by 64 KiB'
for allocator in glibc jemalloc mimalloc tcmalloc; do
    library_of $allocator > /dev/null || { skip "a known heap of $allocator" "it is not installed"; continue; }
    # Without pages jemalloc and mimalloc go by classes and areas of their own.
    if [ "$LONG" = 1 ] && known $allocator; then check $allocator "$allocator, by its own units"; fi
    known $allocator KPROF_PAGES=1 || continue
    check $allocator "$allocator, by pages"
    check_pages $allocator
done

# Sampled, the blame is an estimate, and what is in use too when there was no time for all free pieces:
# of 2,000 samples, to a fiftieth or so.
unset BEHIND
export KPROF_RATE=4K
known glibc
assert_near "bytes in use, sampled" "$(truth in_use)" "$(heap 'j["in_use"]')" "$(heap '10 if j["within"] else 2')"
assert_eq "the planted line comes first, sampled" planted_block "$(heap 'j["blame"][0]["stack"][0]["function"]')"
assert_range "and has at least 80 % of the waste, sampled" 0.8 1 \
    "$(heap 'j["blame"][0]["bytes"]["value"] / sum(b["bytes"]["value"] for b in j["blame"])')"
export KPROF_RATE=8K
known glibc KPROF_PAGES=1
assert_near "bytes in use, sampled, by pages" "$(truth in_use)" "$(heap 'j["in_use"]')" 2
assert_near "what of the pages is not given out, sampled" "$(truth waste)" \
    "$(heap 'sum(b["bytes"]["value"] for b in j["blame"])')" 5
