#!/bin/bash
# SPDX-License-Identifier: MIT
# The reports to the letter, from databases that are made of SQL: text at 100 and 80 columns, JSON
# and CSV; options; and that a report says the same in all three formats.
. "$(dirname "$0")/cli.sh"
fixture engine engine.db
fixture exact exact.db
fixture empty empty.db

expect "summary" summary.txt "$REPORT" engine.db
expect "summary at 80 columns" summary_80.txt env COLUMNS=80 "$REPORT" engine.db
expect "summary of one process" summary_process.txt "$REPORT" engine.db summary --process 4712
expect "summary without a sample says what it could have missed" summary_empty.txt "$REPORT" empty.db
expect "summary of an exact recording, with losses and notes" summary_exact.txt "$REPORT" exact.db
expect "summary as JSON" summary.json "$REPORT" engine.db --json
expect "summary as CSV" summary.csv "$REPORT" engine.db --csv
expect "summary of an exact recording as JSON" summary_exact.json "$REPORT" exact.db --json
expect "sites" sites.txt "$REPORT" engine.db sites
expect "sites at 80 columns" sites_80.txt env COLUMNS=80 "$REPORT" engine.db sites
expect "sites, wide, allocated first, of all kinds" sites_wide.txt "$REPORT" engine.db sites --wide --sort allocated --kind all
expect "sites by line" sites_line.txt "$REPORT" engine.db sites --group line
expect "sites by function" sites_function.txt "$REPORT" engine.db sites --group=function --sort count
expect "sites by module" sites_module.txt "$REPORT" engine.db sites --group module
expect "sites above a size" sites_min.txt "$REPORT" engine.db sites --min 100MB
expect "the two heaviest sites" sites_top.txt "$REPORT" engine.db sites -n2
expect "one site with its stack" sites_one.txt "$REPORT" engine.db sites --site 3
expect "a site without a stack" sites_no_stack.txt "$REPORT" engine.db sites --site 6
expect "sites as JSON" sites.json "$REPORT" engine.db sites --json
expect "sites as CSV" sites.csv "$REPORT" engine.db sites --csv
expect "sites without a sample" sites_empty.txt "$REPORT" empty.db sites
expect "tree" tree.txt "$REPORT" engine.db tree
expect "tree bottom-up" tree_bottom_up.txt "$REPORT" engine.db tree --bottom-up --sort allocated
expect "tree to a depth" tree_depth.txt "$REPORT" engine.db tree --depth 3
expect "tree as JSON" tree.json "$REPORT" engine.db tree --json
expect "tree as CSV" tree.csv "$REPORT" engine.db tree --csv
expect "tree without a sample" tree_empty.txt "$REPORT" empty.db tree
expect "processes" processes.txt "$REPORT" engine.db processes
expect "an exec is no new process" processes_exec.txt "$REPORT" exact.db processes
expect "processes as JSON" processes.json "$REPORT" engine.db processes --json
expect "processes as CSV" processes.csv "$REPORT" engine.db processes --csv
expect "timeline" timeline.txt "$REPORT" engine.db timeline
expect "timeline in four rows" timeline_top.txt "$REPORT" engine.db timeline --top 4
expect "timeline of one process" timeline_process.txt "$REPORT" engine.db timeline --process 4712
expect "timeline as JSON" timeline.json "$REPORT" engine.db timeline --top 3 --json
expect "timeline as CSV" timeline.csv "$REPORT" engine.db timeline --csv --top 3
expect "timeline of next to nothing" timeline_empty.txt "$REPORT" empty.db timeline

assert_eq "the report may come before the database, options anywhere" "$("$REPORT" engine.db sites --top 2)" \
    "$("$REPORT" --top 2 sites engine.db)"

for report in summary sites tree processes timeline; do
    for db in engine exact empty; do
        "$REPORT" $db.db $report --json | python3 -c 'import json, sys; json.load(sys.stdin, parse_constant=sys.exit)'
        assert_eq "valid JSON without NaN: $report of $db" "0 0" "${PIPESTATUS[*]}"
    done
    widest=$("$REPORT" engine.db $report | LC_ALL=C.UTF-8 wc -L)
    high=$("$REPORT" engine.db $report | wc -l)
    assert_range "$report fits 100 columns" 50 100 "$widest"
    assert_range "$report fits 24 lines" 4 24 "$high"
done

# Many sites: still one screen, and the three formats say the same.
fixture engine many.db "INSERT INTO stack SELECT value + 100, 2, 3 + value % 2 + 10 * value FROM generate_series(1, 500)" \
    "INSERT INTO location SELECT 3 + value % 2 + 10 * value, 1, 100000 + value FROM generate_series(1, 500)" \
    "INSERT INTO site SELECT value + 100, 1, value + 100, 'malloc', value, value * 65536.0, value * 4294967296.0, 65536, value * 1000.0,
     value * 1000000.0, 1000, value / 2, value / 2 * 65536.0, value / 2 * 4294967296.0, 65536, value / 2 * 1000.0,
     value / 2 * 1000000.0, 1000, 65536, 1, 2 FROM generate_series(1, 500)" 2> series.err
for report in summary sites tree; do
    assert_range "$report of 500 sites fits one screen" 18 24 "$("$REPORT" many.db $report | wc -l)"
done
"$REPORT" many.db sites --top 40 --json > many.json
"$REPORT" many.db sites --top 40 --csv > many.csv
"$REPORT" many.db sites --top 40 --wide > many.txt
python3 - << 'PY' > compare.txt 2>&1
import csv, json
sites = json.load(open('many.json'))['sites']
rows = list(csv.DictReader(open('many.csv', newline='')))
text = [line for line in open('many.txt') if line.split() and line.split()[0].isdigit() and 'stacks' not in line]
assert len(sites) == len(rows) == len(text) == 40, (len(sites), len(rows), len(text))
def figure(bytes):
    unit = 0
    while unit < 4 and bytes >= (1000 if unit == 0 else 999.5): bytes, unit = bytes / 1000, unit + 1
    digits = '%.0f' % bytes if unit == 0 else '%.2f' % bytes if bytes < 9.995 else '%.1f' % bytes if bytes < 99.95 else '%.0f' % bytes
    return digits + ' ' + ['B', 'KB', 'MB', 'GB', 'TB'][unit]
for site, row, line in zip(sites, rows, text):
    assert int(row['site']) == site['site'] == int(line.split()[0])
    for key in 'live', 'allocated', 'count':
        for end in '', '_low', '_high':
            assert float(row[key + end]) == site[key][end[1:] or 'value']
        assert site[key]['low'] <= site[key]['value'] <= site[key]['high']
    assert figure(site['allocated']['value']) in line, (site['allocated'], line)
PY
assert_eq "text, JSON and CSV say the same" "" "$(cat compare.txt)"

# A recording that is going on.
fixture engine running.db "UPDATE process SET ended_s = NULL, end = NULL WHERE id = 1" "UPDATE session SET finished = 0"
expect "a recording that goes on says so" summary_running.txt "$REPORT" running.db
expect "a process that runs" processes_running.txt "$REPORT" running.db processes
