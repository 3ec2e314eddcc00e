# SPDX-License-Identifier: MIT
"""Holds a recording of tree.py against the stacks that it has written down itself.

usage: compare_tree.py DATABASE FOLDER LABEL
Of a recorded stack this looks at the Python frames and at the functions of tree_ext, in order.
"""
import glob
import json
import os
import re
import sqlite3
import sys

SMALL = 512
KIND_LARGE = {"object": "malloc", "mem": "malloc", "raw": "malloc", "malloc": "malloc", "mmap": "mmap"}


def read_stacks(db):
    """Number of a stack -> its (file, function, line), outermost first."""
    frames = {}
    for location, function, file, line, lang, module in db.execute(
            "SELECT l.id, f.function, f.file, f.line, f.lang, coalesce(m.path, '') FROM location l"
            " JOIN frame f ON f.location_id = l.id LEFT JOIN module m ON m.id = l.module_id ORDER BY l.id, f.depth DESC"):
        if lang == "python":
            frames.setdefault(location, []).append((file, function, line))
        elif os.path.basename(module).startswith("tree_ext") and function.startswith("tree_"):
            frames.setdefault(location, []).append(("", function, 0))
    stacks = {0: ()}
    for number, parent, location in db.execute("SELECT id, parent_id, location_id FROM stack ORDER BY id"):
        stacks[number] = stacks[parent] + tuple(frames.get(location, ()))
    return stacks


def recorded(db, pid, stacks):
    """Every live block of the process: (address, size) -> [(kind, stack)]."""
    blocks = {}
    for address, size, kind, stack in db.execute(
            "SELECT sample.address, sample.size, site.kind, site.stack_id FROM sample JOIN site ON site.id = sample.site_id"
            " JOIN process p ON p.id = site.process_id WHERE p.pid = ?", (pid,)):
        blocks.setdefault((address, size), []).append((kind, stacks[stack]))
    return blocks


def short(stack):
    return " > ".join("%s:%s:%s" % (file[-40:], line, function) if file else function for file, function, line in stack)


def difference(want, got):
    """Where two stacks part, in one line."""
    for index in range(max(len(want), len(got))):
        if want[index:index + 1] != got[index:index + 1]:
            return "depth %d of %d (recorded %d): want %s, got %s" % (
                index, len(want), len(got), short(want[index:index + 2]) or "nothing", short(got[index:index + 2]) or "nothing")
    return ""


def kind_of(kind, size, free_threaded):
    """Python's allocator serves the small ones, and all where there is no GIL."""
    is_own = kind in ("object", "mem") and (free_threaded or size <= SMALL)
    return kind if is_own else KIND_LARGE[kind]


def check_process(db, pid, marks, stacks, free_threaded):
    blocks = recorded(db, pid, stacks)
    wrong = {"block": [], "kind": [], "stack": []}
    for size, kind, address, stack in marks:
        want = tuple((file, function, line) for file, function, line in stack)
        found = blocks.get((address, size), [])
        if len(found) != 1:
            wrong["block"].append("%s of %d recorded %d times, at %s" % (kind, size, len(found), short(want[-2:])))
            continue
        got_kind, got = found[0]
        if got_kind != kind_of(kind, size, free_threaded):
            wrong["kind"].append("%s of %d is %s" % (kind, size, got_kind))
        if got != want:
            wrong["stack"].append(difference(want, got))
    return wrong


def main():
    database, folder, label = sys.argv[1:]
    free_threaded = re.search(r"\dt ", label) is not None
    db = sqlite3.connect("file:%s?mode=ro" % database, uri=True)
    stacks = read_stacks(db)
    total, deepest, wrong = 0, 0, {"block": [], "kind": [], "stack": []}
    for path in sorted(glob.glob(os.path.join(folder, "expected.*.json"))):
        with open(path, encoding="utf-8") as file:
            marks = json.load(file)
        total += len(marks)
        deepest = max([deepest] + [len(mark[3]) for mark in marks])
        for what, lines in check_process(db, int(path.split(".")[-2]), marks, stacks, free_threaded).items():
            wrong[what] += lines
    for what, text in (("block", "each marked block is recorded once"), ("kind", "each has its kind"),
                       ("stack", "each has exactly the expected stack")):
        note = "%s (%d marks, to depth %d) [%s]" % (text, total, deepest, label)
        if total < 200:
            print("not ok - %s: too few marks" % note)
        elif wrong[what]:
            print("not ok - %s: %d wrong, e.g. %s" % (note, len(wrong[what]), "; ".join(ascii(line) for line in wrong[what][:3])))
        else:
            print("ok - %s" % note)
    if os.environ.get("SHOW"):
        for what, lines in wrong.items():
            for line in lines:
                print("#", what, line, file=sys.stderr)


main()
