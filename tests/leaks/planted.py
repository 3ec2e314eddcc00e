# SPDX-License-Identifier: MIT
"""Runs leaky.py under libkprof.so many times and holds the leak report against what was planted.

planted.py BUILD PYTHON RUNS DIRECTORY: prints "ok - ..." and "not ok - ..." lines. Settings are the
defaults; the rate, its interval, the place, the side and the onset are those of `leaks --json`.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD, PYTHON, RUNS, DIRECTORY = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
ROUNDS, ONSET = 1000, 200
# A handful of runs cannot show a share of 95 %: it finds what is broken, many runs find what is a bit off.
IS_HANDFUL = RUNS < 20
SLACK = 1 if IS_HANDFUL else 0
NEAR_RATE, NEAR_ONSET = (0.15, 0.2) if IS_HANDFUL else (0.05, 0.05)
COVERED = 1 if IS_HANDFUL else 0.9 * RUNS
PLACES = {"native": ("forget", "leak_native"), "bridge": ("convert", "leak_bridge"),
          "python": ("leak_python",)}


def check(holds, what, why):
    print("ok - %s" % what if holds else "not ok - %s: %s" % (what, why), flush=True)


def run(kind, size, shape, seed, rounds=ROUNDS):
    """The report, and the truth."""
    with tempfile.TemporaryDirectory(dir=DIRECTORY) as place:
        database = os.path.join(place, "leaky.db")
        environment = dict(os.environ, LD_PRELOAD=os.path.join(BUILD, "libkprof.so"),
                           KPROF_DB=database, KPROF_QUIET="1",
                           PYTHONPATH=os.pathsep.join([os.environ["KEEPER"], os.path.join(HERE, "..", "..", "python")]))
        out = subprocess.run([PYTHON, os.path.join(HERE, "leaky.py"), str(rounds), kind, str(size),
                              str(ONSET), shape, str(seed)], env=environment, check=True,
                             stdout=subprocess.PIPE, universal_newlines=True)
        report = subprocess.run([os.path.join(BUILD, "kprof-report"), database, "leaks", "--json"],
                                check=True, stdout=subprocess.PIPE)
        return json.loads(report.stdout.decode()), float(out.stdout)


def judge(kind, size):
    """Counts of what was right in RUNS runs."""
    right = dict.fromkeys(["named", "rate", "interval", "place", "side", "onset"], 0)
    seen = []
    for seed in range(RUNS):
        report, truth = run(kind, size, "usual", seed)
        rate, first = report["total"]["rate"], (report["sites"] or [{"stack": [], "side": "", "onset": -1}])[0]
        functions = [frame["function"].split(".")[-1] for frame in first["stack"]]
        if report["total"]["verdict"] != "leak":
            print("# seed %d: %s" % (seed, {key: report[key] for key in report if key not in ("lost", "notes", "sites")}),
                  [(s["where"], s["verdict"], s["rate"], s["survivors"], s["onset"]) for s in report["sites"][:3]])
        right["named"] += report["total"]["verdict"] in ("leak", "probable leak")
        right["rate"] += abs(rate["value"] - truth) <= NEAR_RATE * truth
        right["interval"] += rate["low"] <= truth <= rate["high"]
        right["place"] += all(name in functions for name in PLACES[kind])
        right["side"] += first["side"] == kind
        right["onset"] += abs(report["warmup_until"] - ONSET) <= NEAR_ONSET * ROUNDS
        seen.append("%.0f/%.0f (%.0f-%.0f) since %.0f" % (rate["value"], truth, rate["low"], rate["high"],
                                                         report["warmup_until"]))
    return right, seen


def planted(kind, size):
    right, seen = judge(kind, size)
    label = "%s bytes a round leaked by %s" % (size, kind)
    shown = "%s of %d; %s" % (right, RUNS, ", ".join(seen[:6]))
    print("# %s: %s" % (label, shown), flush=True)
    check(right["named"] >= RUNS - SLACK, label + ": it is said to leak", shown)
    check(right["rate"] >= 0.95 * RUNS - SLACK, label + ": the rate is within %.0f %%" % (100 * NEAR_RATE), shown)
    check(right["interval"] >= COVERED, label + ": the interval covers it", shown)
    check(right["place"] >= RUNS - SLACK, label + ": the place comes first", shown)
    check(right["side"] >= RUNS - SLACK, label + ": the side is right", shown)
    check(right["onset"] >= 0.95 * RUNS - SLACK, label + ": it begins where it does, within %.0f %%" % (100 * NEAR_ONSET), shown)


def clean(shapes, runs):
    named = []
    for shape in shapes:
        for seed in range(runs):
            report, _ = run("none", 0, shape, seed)
            if report["total"]["verdict"] in ("leak", "probable leak"):
                first = report["sites"][0]
                named.append("%s %d: %s %s" % (shape, seed, first["where"], first["rate"]))
    total = runs * len(shapes)
    print("# no leak planted: %d of %d runs name one: %s" % (len(named), total, named), flush=True)
    check(len(named) <= 0.01 * total + SLACK, "without a leak at most 1 % of runs name one", named)


def held():
    """RSS grows, the heap does not: whose is it?"""
    for shape, whose in (("fragment", "glibc"), ("objects", "Python's own allocator")):
        report, _ = run("none", 0, shape, 1)
        slopes = report["slopes"]
        shown = "%s %s" % (report["total"], slopes)
        check(report["total"]["verdict"] == "no leak", "%s keeps free memory: that is no leak" % whose, shown)
        check(report["total"]["grows"] == "held by the allocator", "it is named, of %s" % whose, shown)
        check(slopes["rss"] is not None and slopes["held"] > 0.7 * slopes["rss"] and slopes["rss"] > 2000, "and makes up what RSS grows by, of %s" % whose, shown)


if len(sys.argv) > 5:
    for name in sys.argv[5:]:
        if name == "held":
            held()
        elif name == "clean":
            clean(["noise", "queue", "saw", "fifo", "random", "log", "step", "walk", "intern", "threads"], RUNS)
        else:
            kind, size = name.split(":")
            planted(kind, int(size))
