#!/bin/bash
# SPDX-License-Identifier: MIT
# The report on conversions to the letter, from a database that is made of SQL: the list, one entry,
# JSON and CSV, the line of the summary, and what it says where there is nothing to say.
. "$(dirname "$0")/cli.sh"
export REPORT
fixture conversions conv.db
fixture python python.db
fixture conversions off.db "DELETE FROM entry" "DELETE FROM conversion" "DELETE FROM activation" "UPDATE conversion_state SET state = 'off'"
fixture conversions idle.db "DELETE FROM entry"

expect "conversions" conversions.txt "$REPORT" conv.db conversions
expect "conversions at 80 columns" conversions_80.txt env COLUMNS=80 "$REPORT" conv.db conversions
expect "conversions, wide, the first two" conversions_wide.txt "$REPORT" conv.db conversions --wide --top 2
expect "one entry, its API and its callers" conversions_entry.txt "$REPORT" conv.db conversions --entry 2
expect "conversions of one process" conversions_process.txt "$REPORT" conv.db conversions --process 4712
expect "conversions as JSON" conversions.json "$REPORT" conv.db conversions --json
expect "conversions as CSV" conversions.csv "$REPORT" conv.db conversions --csv --top 3
expect "one entry as JSON" conversions_entry.json "$REPORT" conv.db conversions --json --entry 3
expect "no conversions" conversions_none.txt "$REPORT" python.db conversions
expect "conversions switched off" conversions_off.txt "$REPORT" off.db conversions
expect "nothing converted" conversions_idle.txt "$REPORT" idle.db conversions
expect "the line of the summary" summary_conversions.txt "$REPORT" conv.db
refuse "an entry that is not there" 1 "no entry 9, there are 4; see: kprof-report conv.db conversions" \
    "$REPORT" conv.db conversions --entry 9
refuse "an option of another report" 2 "entry does not go with sites" "$REPORT" conv.db sites --entry 1

for option in --json "--json --entry 2"; do
    # shellcheck disable=SC2086
    "$REPORT" conv.db conversions $option > out.json
    python3 -m json.tool out.json > /dev/null 2> err
    assert_eq "valid JSON [$option]" "0|" "$?|$(cat err)"
done
"$REPORT" conv.db conversions --json > out.json
python3 - << 'PY' > compare.txt 2>&1
import csv, io, json, subprocess, os
entries = json.load(open("out.json"))["entries"]
wanted = {"entry", "module", "direction", "calls", "conversions", "bytes", "objects", "copies", "time_s", "gil_wait_s", "gil_hold_s",
          "allocated", "amplification", "retained", "by_api", "advice", "stack"}
for entry in entries:
    missing = wanted - set(entry)
    assert not missing, missing
    assert set(entry["time_s"]) == {"value", "low", "high"}
    calls = sum(api["calls"] for name, api in entry["by_api"].items() if "Py" in name and not name.startswith(("PyGIL", "PyEval")))
    assert calls == entry["conversions"], (entry["entry"], calls)
rows = list(csv.DictReader(io.StringIO(subprocess.run([os.environ["REPORT"], "conv.db", "conversions", "--csv"], capture_output=True, text=True).stdout)))
assert len(rows) == len(entries)
for row, entry in zip(rows, entries):
    assert row["entry"] == entry["entry"] and float(row["bytes"]) == entry["bytes"]
    assert json.loads(row["by_api"]) == entry["by_api"]
PY
assert_eq "the keys of the contract; by_api adds up; CSV says the same" "" "$(cat compare.txt)"
