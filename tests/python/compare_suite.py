# SPDX-License-Identifier: MIT
"""Compares runs of CPython's own tests, case by case.

usage: compare_suite.py PLAIN PRELOADED          prints modules whose cases end differently, one a line
       compare_suite.py PLAIN PRELOADED verdict  prints a line for the test
PLAIN, PRELOADED: folders with JUnit files of one run of a module or more. A case has the results of all
the runs that it was in: it differs when no result of the one side occurs on the other.
"""
import fnmatch
import glob
import os
import sys
import xml.etree.ElementTree as ElementTree


def read(folder):
    results = {}
    for path in glob.glob(os.path.join(folder, "*.xml")):
        try:
            cases = ElementTree.parse(path).getroot().iter("testcase")
        except ElementTree.ParseError:  # of a run that was stopped
            continue
        for case in cases:
            bad = case.find("failure") is not None or case.find("error") is not None
            state = "fails" if bad else "skipped" if case.find("skipped") is not None else "passes"
            if case.get("name", "").startswith("test."):
                results.setdefault(case.get("name"), set()).add(state)
    return results


def known():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cpython_known.txt")) as file:
        return [line.split("\t")[0] for line in file if not line.startswith("#")]


def main():
    plain, preloaded = read(sys.argv[1]), read(sys.argv[2])
    differing = sorted(name for name in plain.keys() | preloaded.keys()
                       if not plain.get(name, {"not run"}) & preloaded.get(name, {"not run"}))
    expected = [name for name in differing if any(fnmatch.fnmatch(name, pattern) for pattern in known())]
    differing = [name for name in differing if name not in expected]
    modules = sorted({name.split(".")[1] for name in differing})
    if len(sys.argv) < 4:
        print(*modules, sep="\n", end="\n" if modules else "")
        return
    failing = sorted(name for name, states in plain.items() if states == {"fails"})
    count = len({name.split(".")[1] for name in plain})
    what = "%d cases of %d modules end the same with the library, %d of them badly both ways, %d known to differ" % (
        len(plain) - len(expected), count, len(failing), len(expected))
    if count < 40 or len(plain) < 4000:
        print("%s: too few were run without the library" % what)
        sys.exit(1)
    if differing:
        print("%s; %d differ, e.g. %s" % (what, len(differing), "; ".join("%s: %s, preloaded %s" % (
            name, "/".join(sorted(plain.get(name, {"not run"}))),
            "/".join(sorted(preloaded.get(name, {"not run"})))) for name in differing[:6])))
        sys.exit(1)
    print(what)


main()
