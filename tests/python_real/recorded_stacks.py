# SPDX-License-Identifier: MIT
"""Reads the stacks of a finished kprof database, for checks of what stands in them.

    recorded = Recorded("x.db")
    for site in recorded.sites(): site.kind, site.bytes, site.live_bytes, site.pid, site.frames

frames is a list, outermost first, of Frame(lang, function, file, line, module, exact, inlined)."""
import collections
import functools
import re
import sqlite3

Frame = collections.namedtuple("Frame", "lang function file line module exact inlined")
Site = collections.namedtuple("Site", "id pid kind bytes count live_bytes live_count frames")
COUNTED = ("malloc", "new", "mmap", "object", "mem")
FRAMES = """SELECT f.lang, f.function, f.file, f.line, coalesce(m.path, ''), f.exact, f.depth
FROM frame f JOIN location l ON l.id = f.location_id LEFT JOIN module m ON m.id = l.module_id
WHERE f.location_id = ? ORDER BY f.depth DESC"""


class Recorded:
    def __init__(self, path):
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.tree = {row[0]: row[1:] for row in self.db.execute("SELECT id, parent_id, location_id FROM stack")}
        self.of_location, self.of_stack = {}, {0: []}

    def location(self, number):
        if number not in self.of_location:
            rows = self.db.execute(FRAMES, (number,)).fetchall()
            self.of_location[number] = [Frame(*row[:6], row[6] < len(rows) - 1) for row in rows]
        return self.of_location[number]

    def stack(self, number):
        path, at = [], number
        while at not in self.of_stack:
            path.append(at)
            at = self.tree[at][0]
        for at in reversed(path):
            parent, location = self.tree[at]
            self.of_stack[at] = self.of_stack[parent] + self.location(location)
        return self.of_stack[number]

    def sites(self, kinds=COUNTED):
        for row in self.db.execute("""SELECT s.id, p.pid, s.kind, s.allocated_bytes, s.allocated_count, s.live_bytes,
                s.live_count, s.stack_id FROM site s JOIN process p ON p.id = s.process_id"""):
            if row[2] in kinds:
                yield Site(*row[:7], self.stack(row[7]))

    def threads(self):
        """Names of the threads that made what is live, by site id."""
        names = collections.defaultdict(set)
        for site, name in self.db.execute("SELECT DISTINCT s.site_id, t.name FROM sample s JOIN thread t ON t.id = s.thread_id"):
            names[site].add(name)
        return names


@functools.cache
def text(frame):
    place = f" ({frame.file.rsplit('/', 1)[-1]}:{frame.line})" if frame.file else ""
    return f"{frame.lang[0]}:{frame.function}{place}"


def has(frames, *wanted):
    """Whether the frames contain these in this order, others in between; each is a regular expression on text()."""
    rest = iter(text(frame) for frame in frames)
    return all(any(re.search(pattern, shown) for shown in rest) for pattern in wanted)


def marked_lines(path):
    """Line numbers by the name in their comment `# at NAME`."""
    with open(path, encoding="utf-8") as source:
        return {m.group(1): number for number, line in enumerate(source, 1) if (m := re.search(r"# at (\w+)", line))}


def is_named(frame):
    """A function's name or a source file; not just module+0xoffset."""
    return bool(frame.file) or not re.search(r"\+0x[0-9a-f]+( \[|$)", frame.function) and frame.function not in ("", "??")


def named_share(sites, extension):
    """Bytes of the sites with frames of this extension, and of those with a name in each of them."""
    own = [(site.bytes, [f for f in site.frames if extension in f.module]) for site in sites]
    return (sum(size for size, frames in own if frames),
            sum(size for size, frames in own if frames and all(map(is_named, frames))))


def check(what, holds, otherwise=""):
    print(f"ok - {what}" if holds else f"not ok - {what}: {otherwise}"[:600], flush=True)
