# SPDX-License-Identifier: MIT
"""Checks the stacks that calls.py must have left at KPROF_RATE=1.
usage: check_calls.py DATABASE tables|wheel"""
import functools
import os
import sys

from recorded_stacks import Recorded, check, has, marked_lines, named_share, text

LINES = marked_lines(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calls.py"))
recorded = Recorded(sys.argv[1])
build = sys.argv[2]
sites = list(recorded.sites())


def line(name):
    function = {"main": "<module>", "on_threads": "threads", "on_tokio": "threads"}.get(name, name)
    return rf"^p:{function} \(calls.py:{LINES[name]}\)$"


@functools.cache
def below(*names):
    return [site for site in sites if has(site.frames, *(line(name) for name in names))]


def heaviest(some):
    site = max(some, key=lambda site: site.bytes, default=None)
    return " / ".join(text(frame) for frame in site.frames) if site else "no such site"


def python_lines():
    for name in ("convert", "there_and_back", "lose", "bytes_out"):
        some = below("main", name)
        check(f"allocations below {name} have its line, below main's [{build}]", some, heaviest(sites))
    some = below("main", "there_and_back", "read_back")
    check(f"Python, Rust, Python, Rust: one stack [{build}]",
          any(has(s.frames, line("there_and_back"), r"^n:", line("read_back"), r"^n:") for s in some), heaviest(some))
    check(f"no Python frame stands twice for one call [{build}]",
          not any(has(s.frames, line(name), line(name)) for name in ("main", "lose") for s in below(name)))


def rust_frames():
    wanted = {
        "a Rust function has its file and line": ("convert", r"^n:(bridge::)?to_python \(lib.rs:\d+\)"),
        "an inlined Rust function is there": ("convert", r"sample.* \(record.rs:\d+\)"),
        "the leak has its Rust line, inlined": ("lose", r"^n:(bridge::)?leak \(lib.rs:\d+\)"),
        "bytes out have their Rust line": ("bytes_out", r"^n:(bridge::)?payload \(lib.rs:\d+\)"),
        "what serde calls is there": ("convert", r"^n:.*pythonize"),
    }
    for what, (name, pattern) in wanted.items():
        some = below(name)
        check(f"{what} [{build}]", any(has(s.frames, line(name), pattern) for s in some), heaviest(some))
    inlined = [s for s in below("lose") if any(f.inlined and "filled" in f.function for f in s.frames)]
    check(f"a function that was inlined by force has a frame of its own [{build}]", inlined, heaviest(below("lose")))


def amounts():
    lost = [s for s in below("lose") if s.live_bytes]
    check(f"the leak is exact: 50 blocks, 250,000 bytes [{build}]",
          (sum(s.live_count for s in lost), sum(s.live_bytes for s in lost)) == (50, 250000),
          f"{[(s.kind, s.live_count, s.live_bytes) for s in lost]}")
    out = [s for s in below("bytes_out") if has(s.frames, "PyBytes_FromStringAndSize") and s.bytes > s.count * 1000]
    total = sum(s.bytes for s in out)
    check(f"bytes out are exact: 10 objects of 100,000 bytes and their head [{build}]",
          sum(s.count for s in out) == 10 and 0 < total - 10 * 100000 <= 10 * 64, f"{[(s.kind, s.count, s.bytes) for s in out]}")


def other_threads():
    named = {}
    threads = recorded.threads()
    for site in sites:
        for name in threads[site.id]:
            named.setdefault(name, []).append(site)
    crunch = [name for name in named if name.startswith("crunch-")]
    # Each names itself, on a busy machine now and then after its last allocation: that one is called as its parent.
    check(f"threads of Rust's own are named [{build}]", crunch and set(crunch) <= {"crunch-0", "crunch-1", "crunch-2"}, sorted(named))
    tokio = [name for name in named if name.startswith("tokio")]
    check(f"the workers of tokio are named [{build}]", tokio, sorted(named))
    of_threads = [s for name in crunch + tokio for s in named[name]]
    check(f"threads without Python keep their native stacks [{build}]",
          of_threads and all(len(s.frames) > 2 and all(f.lang == "native" for f in s.frames) for s in of_threads),
          heaviest(of_threads))
    if build == "tables":
        crunched = [s for s in of_threads if s.live_bytes >= 5000]
        check(f"and their file and line [{build}]", crunched and all(has(s.frames, r"crunch.* \(threads.rs:\d+\)") for s in crunched),
              heaviest(crunched))


def names():
    total, named = named_share(sites, "bridge.so")
    check(f"99 % of the bytes below the extension have a name in each of its frames [{build}]", total and named >= 0.99 * total,
          f"{named:.0f} of {total:.0f}")
    none = sum(s.bytes for s in sites if not s.frames)
    check(f"no byte is without a stack [{build}]", none == 0, none)


python_lines()
if build == "tables":
    rust_frames()
amounts()
other_threads()
names()
