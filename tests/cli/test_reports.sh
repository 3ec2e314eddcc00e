#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 180
# The reports to the letter, from databases that are made of SQL: text at 100 and 80 columns, JSON
# and CSV; options; and that a report says the same in all three formats.
. "$(dirname "$0")/cli.sh"
fixture engine engine.db
fixture exact exact.db
fixture empty empty.db
fixture python python.db

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
expect "summary of Python" summary_python.txt "$REPORT" python.db
expect "summary of Python at 80 columns" summary_python_80.txt env COLUMNS=80 "$REPORT" python.db
expect "summary of Python at 120 columns" summary_python_120.txt env COLUMNS=120 "$REPORT" python.db
expect "summary of Python as JSON" summary_python.json "$REPORT" python.db --json --top 3
expect "sites of Python" sites_python.txt "$REPORT" python.db sites
expect "sites of Python as JSON, interpreter frames marked" sites_python.json "$REPORT" python.db sites --json --top 3
expect "sites by Python line" sites_python_line.txt "$REPORT" python.db sites --group python-line
expect "sites by native line" sites_native_line.txt "$REPORT" python.db sites --group native-line
expect "sites of Python by function" sites_python_function.txt "$REPORT" python.db sites --group function
expect "sites of Python by module" sites_python_module.txt "$REPORT" python.db sites --group module
expect "objects alone" sites_python_object.txt "$REPORT" python.db sites --kind object
expect "a stack of Python and an extension" sites_python_one.txt "$REPORT" python.db sites --site 1
expect "the same with the interpreter" sites_python_all.txt "$REPORT" python.db sites --site 1 --all-frames
expect "labels of a stripped library" sites_python_labels.txt "$REPORT" python.db sites --site 9
expect "a thread of its own" sites_python_thread.txt "$REPORT" python.db sites --site 4
expect "recursion is told once" sites_python_recursion.txt "$REPORT" python.db sites --site 6
expect "tree of Python" tree_python.txt "$REPORT" python.db tree
expect "tree of Python bottom-up" tree_python_bottom_up.txt "$REPORT" python.db tree --bottom-up --sort allocated
expect "tree of Python with the interpreter, as CSV" tree_python_all.csv "$REPORT" python.db tree --all-frames --csv
expect "processes of Python" processes_python.txt "$REPORT" python.db processes
expect "a process with its threads" processes_python_one.txt "$REPORT" python.db processes --process 4711
expect "processes of Python as JSON" processes_python.json "$REPORT" python.db processes --json
expect "timeline of Python: phases, imports" timeline_python.txt "$REPORT" python.db timeline
expect "timeline of Python as JSON" timeline_python.json "$REPORT" python.db timeline --json --top 2

# How programs are called that interpreters run.
named() # argv as JSON, name; the interpreter when it is not Python
{
    fixture python named.db "UPDATE process SET argv = '$1', exe = '${3:-/usr/bin/python3.11}' WHERE id = 1"
    assert_match "a program is named: $1" "^named.db  $2 \(python 3.11.2, pid 4711\)" "$("$REPORT" named.db --wide | head -1)"
}
named '["python3","-u","-W","error","/srv/x/run.py","-c"]' run.py
named '["python3","-m","http.server","8000"]' http.server
named '["python3","-c","import app\napp.run()"]' "python3.11 -c import app app.run\(\)"
named '["python3","-c","from multiprocessing.spawn import spawn_main; spawn_main(5)","--multiprocessing-fork"]' multiprocessing.spawn
named '["perl","-we","run()"]' "perl -e run\(\)" /usr/bin/perl
named '["sh","-ec","make all"]' "sh -c make all" /usr/bin/sh
named '["bash","-e","tools/build.sh"]' build.sh /usr/bin/bash
named '["bash","-c","make all"]' "bash -c make all" /usr/bin/bash
named '["python3"]' python3.11
named '{"no":"list"}' python3.11

# One that was gone before it was looked at.
fixture python brief.db "UPDATE process SET peak_rss_bytes = 0 WHERE id = 1"
"$REPORT" brief.db processes --process 4711 --json > brief.json
assert_eq "a peak that nobody saw is unknown" null \
    "$(sqlite3 :memory: "SELECT json_type(readfile('brief.json'), '\$.processes[0].peak_rss_bytes')")"

# The text of the lines, where the source is there; relative names start at the working directory.
mkdir app
{ seq 1 30; printf '        self.items.append(\033[31mkey)   \r\n'; seq 32 40; } > app/cache.py
touch -d @1600000000 app/cache.py
fixture python source.db "UPDATE process SET directory = '$PWD/app'"
assert_match "the text of the line is shown" "^ +self.items.append\(.*key\)$" \
    "$("$REPORT" source.db sites --site 2 | grep -A1 'cache.py:31' | tail -1)"
assert_eq "without control characters" 0 "$("$REPORT" source.db sites --site 2 | grep -c $'\033')"
assert_eq "an old source is as it was" 0 "$("$REPORT" source.db sites --site 2 | grep -c newer)"
touch app/cache.py
assert_match "a newer source may have changed" "^the source may have changed: it is newer than the recording$" \
    "$("$REPORT" source.db sites --site 2)"
rm app/cache.py && mkfifo app/cache.py
assert_eq "a pipe is not read" 0 "$(timeout 10 "$REPORT" source.db sites --site 2 > out.txt; echo $?)"
rm app/cache.py && truncate -s 17M app/cache.py
assert_eq "nor is a huge file" 0 "$(timeout 10 "$REPORT" source.db sites --site 2 > out.txt; echo $?)"

assert_eq "the report may come before the database, options anywhere" "$("$REPORT" engine.db sites --top 2)" \
    "$("$REPORT" --top 2 sites engine.db)"

for report in summary sites tree processes timeline; do
    for db in engine exact empty python; do
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
    "INSERT INTO location SELECT 3 + value % 2 + 10 * value, 1, 0, 100000 + value FROM generate_series(1, 500)" \
    "INSERT INTO site SELECT value + 100, 1, value + 100, 'malloc', value, value * 65536.0, value * 4294967296.0, 65536, value * 1000.0,
     value * 1000000.0, 1000, value / 2, value / 2 * 65536.0, value / 2 * 4294967296.0, 65536, value / 2 * 1000.0,
     value / 2 * 1000000.0, 1000, 65536, 1, 2, 0, 0 FROM generate_series(1, 500)" 2> series.err
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
