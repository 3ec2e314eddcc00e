# SPDX-License-Identifier: MIT
"""Holds a recording of domains_program.py against what it has asked for.

usage: compare_domains.py DATABASE EXPECTED LABEL exact|debug arenas|any
exact: bytes are those that were asked for; debug: Python's debug hooks have added up to 32 to each
block, and once more to those that Python's own allocator hands on to malloc. arenas: Python's own allocator serves the small ones, from arenas.
"""
import json
import sqlite3
import sys

COUNTED = ("malloc", "new", "mmap", "object", "mem")


def recorded(db):
    """file:line of the innermost Python frame below a *_kind function of tree_ext -> sums."""
    frames = {row[0]: row[1:] for row in db.execute("SELECT location_id, function, file, line, lang FROM frame WHERE depth = 0")}
    place, ours, lines = {0: None}, {0: False}, {}
    for stack, parent, location in db.execute("SELECT id, parent_id, location_id FROM stack ORDER BY id"):
        function, file, line, lang = frames[location]
        place[stack] = "%s:%d" % (file, line) if lang == "python" else place[parent]
        ours[stack] = ours[parent] or function.endswith("_kind")
    for stack, kind, *sums in db.execute(
            "SELECT stack_id, kind, live_bytes, live_count, allocated_bytes, allocated_count FROM site"):
        if ours[stack] and kind in COUNTED:
            line = lines.setdefault(place[stack], {"live": [0, 0], "allocated": [0, 0], "small": 0})
            line["live"] = [line["live"][0] + sums[0], line["live"][1] + sums[1]]
            line["allocated"] = [line["allocated"][0] + sums[2], line["allocated"][1] + sums[3]]
            line["small"] += sums[1] if kind in ("object", "mem") else 0
    return lines


def sums_differ(want, got, slack):
    return got[1] != want[1] or not want[0] <= got[0] <= want[0] + slack * want[1]


def check_lines(db, expected, slack, arenas):
    got, wrong = recorded(db), []
    for place, want in expected.items():
        have = got.get(place, {"live": [0, 0], "allocated": [0, 0], "small": 0})
        for what in ("live", "allocated"):
            if sums_differ(want[what], have[what], slack):
                wrong.append("%s %s: want %s, got %s" % (place, what, want[what], have[what]))
        if arenas and not slack and want["small"] is not None and want["small"] != have["small"]:
            wrong.append("%s: %d small, want %d" % (place, have["small"], want["small"]))
    return wrong


def overlaps(db):
    """Live blocks that count towards the totals and lie in one another."""
    wrong, end, last = [], 0, None
    for address, size, kind in db.execute(
            "SELECT address, size, kind FROM sample JOIN site ON site.id = site_id WHERE kind IN (%s) AND size > 0"
            " ORDER BY address, size DESC" % ", ".join("'%s'" % kind for kind in COUNTED)):
        if address < end:
            wrong.append("%s of %d in %s of %d" % (kind, size, last[1], last[0]))
        else:
            end, last = address + size, (size, kind)
    return wrong


def tell(what, label, wrong):
    if wrong:
        print("not ok - %s [%s]: %d wrong, e.g. %s" % (what, label, len(wrong), "; ".join(wrong[:3])))
    else:
        print("ok - %s [%s]" % (what, label))


def main():
    database, path, label, way, arenas = sys.argv[1:]
    db = sqlite3.connect("file:%s?mode=ro" % database, uri=True)
    with open(path) as file:
        expected = json.load(file)
    tell("%d lines have exactly the blocks that were asked for" % len(expected), label,
         check_lines(db, expected, 64 if way == "debug" else 0, arenas == "arenas") if len(expected) == 21 else ["lines missing"])
    tell("no live block is counted twice", label, overlaps(db))
    if arenas == "arenas":
        sizes = {row[0] for row in db.execute("SELECT DISTINCT size FROM sample JOIN site ON site.id = site_id WHERE kind = 'arena'")}
        tell("the arenas of Python are told as such", label, [] if sizes & {256 << 10, 1 << 20} else ["sizes %s" % sorted(sizes)])


main()
