#!/bin/bash
# SPDX-License-Identifier: MIT
# A recording in which nothing was sampled has no snapshot: all three forms of the report say so.
. "$(dirname "$0")/lib_heap.sh"

cat "$ROOT/analyzer/schema.sql" "$ROOT/tests/cli/fixtures/empty.sql" | sqlite3 empty.db
assert_match "text says that there is none" 'no snapshot of the heap was taken' "$("$REPORT" empty.db fragmentation)"
"$REPORT" empty.db fragmentation --json > heap.json
assert_eq "JSON has no arenas" '[] []' "$(heap '"%s %s" % (j["arenas"], j["blame"])')"
assert_eq "CSV has its head" 1 "$("$REPORT" empty.db fragmentation --csv | wc -l)"
assert_match "a moment that there is not is refused" "is not one of end, peak" "$("$REPORT" empty.db fragmentation --at noon 2>&1)"
