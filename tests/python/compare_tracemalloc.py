# SPDX-License-Identifier: MIT
"""Holds a recording of tracemalloc_program.py against what tracemalloc said of the same lines.

usage: compare_tracemalloc.py DATABASE FILE LABEL objects|all
objects: blocks up to 512 bytes, which Python's own allocator serves (tracemalloc was active in the
recorded process, and its own tables come from malloc); all: every block.
"""
import json
import sqlite3
import sys


def recorded(db, wanted):
    """file:line of the innermost Python frame -> [live bytes, live blocks]."""
    own = {location: "%s:%d" % (file, line) for location, file, line in db.execute(
        "SELECT location_id, file, line FROM frame WHERE lang = 'python' AND depth = 0")}
    innermost, lines = {0: None}, {}
    for stack, parent, location in db.execute("SELECT id, parent_id, location_id FROM stack ORDER BY id"):
        innermost[stack] = own.get(location) or innermost[parent]
    for stack, live_bytes, live_count in db.execute(
            "SELECT stack_id, sum(size), count(*) FROM sample JOIN site ON site.id = site_id WHERE %s GROUP BY 1" % wanted):
        line = lines.setdefault(innermost[stack], [0, 0])
        line[0] += live_bytes
        line[1] += live_count
    return lines


def near(want, got, slack):
    return abs(got - want) <= max(0.01 * want, slack)


def main():
    database, path, label, which = sys.argv[1:]
    wanted = "kind IN ('object', 'mem') AND size <= 512" if which == "objects" else "kind IN ('object', 'mem', 'malloc')"
    with open(path, encoding="utf-8") as file:
        said = json.load(file)
    got = recorded(sqlite3.connect("file:%s?mode=ro" % database, uri=True), wanted)
    compared, wrong, total = 0, [], [0, 0, 0, 0]
    for place, (small_bytes, small_count, large_bytes, large_count) in sorted(said.items()):
        want = [small_bytes, small_count] if which == "objects" else [small_bytes + large_bytes, small_count + large_count]
        if want[0] < 20000 or "tracemalloc" in place.split("/")[-1].replace("tracemalloc_program", ""):
            continue
        have = got.get(place, [0, 0])
        compared += 1
        total = [total[0] + want[0], total[1] + have[0], total[2] + want[1], total[3] + have[1]]
        if not near(want[0], have[0], 1024) or not near(want[1], have[1], 3):
            wrong.append("%s: tracemalloc %d in %d, recorded %d in %d" % (place[-40:], want[0], want[1], have[0], have[1]))
    what = "tracemalloc and the recording agree within 1 %% on each of %d lines, %s: %d and %d bytes in %d and %d blocks [%s]" % (
        compared, which, *total, label)
    if compared < 15:
        print("not ok - %s: too few lines" % what)
    elif wrong:
        print("not ok - %s: %d differ, e.g. %s" % (what, len(wrong), "; ".join(wrong[:4])))
    else:
        print("ok - %s" % what)


main()
