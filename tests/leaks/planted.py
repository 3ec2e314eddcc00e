# SPDX-License-Identifier: MIT
"""Leaks that were planted, many runs of each: the leak report is held against what is known.

planted.py BUILD PYTHON DIRECTORY FIRST RUNS VARIANT... prints "ok - ..." and "not ok - ..." lines.
VARIANT is KIND:BYTES, "clean" (ten shapes without a leak) or "held". Seeds go from FIRST on. With
KPROF_PLANTED_KEPT (a folder) recordings are kept there and made once only; after KPROF_PLANTED_UNTIL (of the
clock, in seconds) no further one begins, and the next call goes on.
"""
import os
import sys
import time

import planted_run

BUILD, PYTHON, DIRECTORY, FIRST, RUNS = *sys.argv[1:4], *map(int, sys.argv[4:6])
SHAPES = ["noise", "queue", "saw", "fifo", "random", "log", "step", "walk", "intern", "threads"]
# A handful of runs cannot show a share of 95 %: it finds what is broken, many runs find what is a bit off.
IS_HANDFUL = RUNS < 20
SLACK = 1 if IS_HANDFUL else 0
NEAR_RATE, NEAR_ONSET = (0.15, 0.2) if IS_HANDFUL else (0.05, 0.05)
UNTIL = float(os.environ.get("KPROF_PLANTED_UNTIL", "inf"))
TOLD = ("leak", "probable leak")


def check(holds, what, why):
    print("ok - %s" % what if holds else "not ok - %s: %s" % (what, why), flush=True)


def series(runner, label, keys):
    """The runs of these keys, as far as time allows; whether these are all."""
    runs = []
    for key in keys:
        if not runner.is_known(*key) and time.time() > UNTIL:
            break
        runs.append(runner.run(*key))
    if len(runs) < len(keys):
        print("skip - %s: %d of %d runs so far; the same command goes on" % (label, len(runs), len(keys)))
    return runs, len(runs) == len(keys)


def marks_of(run):
    """What was right."""
    value, low, high = run["rate"]
    return {"named": run["verdict"] in TOLD, "rate": abs(value - run["truth"]) <= NEAR_RATE * run["truth"],
            "interval": low <= run["truth"] <= high, "place": run["place"], "side": run["side"],
            "onset": abs(run["onset"] - planted_run.ONSET) <= NEAR_ONSET * planted_run.ROUNDS}


def text_of(run):
    return "seed %d %s %.0f/%.0f (%.0f-%.0f) since %.0f" % (run["key"][3], run["verdict"], run["rate"][0], run["truth"],
                                                          *run["rate"][1:], run["onset"])


def show(label, runs):
    """How many were right, and those that were not."""
    marks = [marks_of(run) for run in runs]
    right = {mark: sum(one[mark] for one in marks) for mark in marks[0]} if runs else {}
    print("# %s: %s of %d" % (label, right, len(runs)))
    for run, one in zip(runs, marks):
        wrong = [mark for mark in one if not one[mark]]
        if wrong:
            print("#   %s: not %s; %s" % (text_of(run), ", ".join(wrong), run["where"]))
    return right


def planted(runner, kind, size):
    label = "%d bytes a round leaked by %s" % (size, kind)
    runs, is_all = series(runner, label, [(kind, size, "usual", seed) for seed in range(FIRST, FIRST + RUNS)])
    seen = [run for run in runs if run["detectable"] <= size]
    if len(seen) < len(runs):
        hidden = show(label + ", below what the report says can be seen", [run for run in runs if run not in seen])
    right, count = show(label, seen), len(seen)
    if not is_all:
        return
    if count == 0:
        check(hidden, label + ": the report says that this is too little to be seen", "")
        return
    shown = "%s of %d" % (right, count)
    check(right["named"] >= count - SLACK, label + ": it is said to leak", shown)
    check(right["rate"] >= 0.95 * count - SLACK, label + ": the rate is within %.0f %%" % (100 * NEAR_RATE), shown)
    check(right["interval"] >= (1 if IS_HANDFUL else 0.9 * count), label + ": the interval covers it", shown)
    check(right["place"] >= count - SLACK, label + ": the place comes first", shown)
    check(right["side"] >= count - SLACK, label + ": the side is right", shown)
    check(right["onset"] >= 0.95 * count - SLACK, label + ": it begins where it does, within %.0f %%" % (100 * NEAR_ONSET), shown)


def clean(runner):
    label = "without a leak at most 1 % of runs name one"
    runs, is_all = series(runner, label, [("none", 0, shape, seed) for seed in range(FIRST, FIRST + RUNS) for shape in SHAPES])
    named = [run for run in runs if run["verdict"] in TOLD]
    print("# no leak planted: %d of %d runs name one" % (len(named), len(runs)))
    for run in named:
        print("#   %s: %s; %s" % (run["key"][2], text_of(run), run["where"]))
    if is_all:
        check(len(named) <= 0.01 * len(runs) + SLACK, label, "%d of %d" % (len(named), len(runs)))


def held(runner):
    """RSS grows, the heap does not: whose is it?"""
    for shape, whose in (("fragment", "glibc"), ("objects", "Python's own allocator")):
        run = runner.run("none", 0, shape, FIRST)
        slopes, shown = run["slopes"], str(run)
        check(run["verdict"] == "no leak", "%s keeps free memory: that is no leak" % whose, shown)
        check(run["grows"] == "held by the allocator", "it is named, of %s" % whose, shown)
        check(slopes["rss"] is not None and slopes["held"] > 0.7 * slopes["rss"] and slopes["rss"] > 2000,
              "and makes up what RSS grows by, of %s" % whose, shown)


def main():
    folder, kept = os.environ.get("KPROF_PLANTED_KEPT"), None
    if folder:
        kept = os.path.join(folder, planted_run.name_of(BUILD, os.environ["KEEPER"]))
        os.makedirs(kept, exist_ok=True)
    runner = planted_run.Runner(BUILD, PYTHON, DIRECTORY, kept)
    for name in sys.argv[6:]:
        if name == "held":
            held(runner)
        elif name == "clean":
            clean(runner)
        else:
            kind, size = name.split(":")
            planted(runner, kind, int(size))


main()
