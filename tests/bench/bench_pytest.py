# SPDX-License-Identifier: MIT
"""What `pytest --kprof` costs: `python bench_pytest.py EXTENSION [ROUNDS]`, with pytest's python and
KPROF_TEST_BUILD.

The plain side is one pytest, without any child, that runs each clean test as often as the plugin does
(set-up, body, teardown; its warm-up, too). So all that the plugin adds counts: its processes, its
collections of garbage, its looks. Two suites: the tests' own, whose repeats take a fraction of a
millisecond, and one that reads 600 records of JSON 20 times a repeat. CPU time, compared as bench_run.py
says."""
import os
import statistics
import sys
import tempfile

from bench_run import BUILD, beside, cpu_of, environment, interval

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLAIN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for _ in range(219):
        runtestprotocol(item, log=False, nextitem=item.parent)
    runtestprotocol(item, nextitem=nextitem)
    return True
"""
WORK = """
import json, pytest
TEXT = json.dumps([{"id": n, "name": "item %d" % n, "tags": ["a", "b", str(n)]} for n in range(600)])
pytestmark = pytest.mark.kprof_leaks(iterations=200)
@pytest.mark.parametrize("number", range(3))
def test_work(number):
    for _ in range(20):
        assert len(json.loads(TEXT)) == 600
"""


def compare(suite, options, path, rounds):
    """The ratio with its interval, and the CPU seconds of both sides."""
    env = environment(PYTHONPATH=os.pathsep.join([os.path.join(ROOT, "python"), *path]), PYTHONWARNINGS="ignore",
                      PYTHONPYCACHEPREFIX=os.path.join(path[-1], "cache"), PYTHONDONTWRITEBYTECODE="")  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio"]
    sides = {side: lambda side=side: cpu_of([*command, *options[side], suite], env) for side in options}
    for run in sides.values():
        run()  # compiles what is new
    ratios, plain, kprof = [], [], []
    for _ in range(rounds):
        cpu, base = beside(sides["plain"], sides["kprof"])
        plain += base
        kprof.append(cpu)
        ratios.append(cpu / statistics.mean(base))
    return interval(ratios), statistics.median(plain), statistics.median(kprof)


def main():
    extension, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8
    options = {"plain": ["-p", "plain_repeats"], "kprof": ["--kprof", "--kprof-bin=" + BUILD]}
    print("CPU seconds                          plain    kprof    ratio")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("plain_repeats.py", PLAIN), ("test_work.py", WORK)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        clean = os.path.join(ROOT, "tests", "pytest_plugin", "suite", "test_clean.py")
        work = os.path.join(folder, "test_work.py")
        for what, suite in (("10 tests, repeats of under 1 ms", clean), ("3 tests, repeats of about 8 ms", work)):
            (ratio, low, high), plain, kprof = compare(suite, options, [extension, folder], rounds)
            print(f"{what:33} {plain:8.2f} {kprof:8.2f} {ratio:8.3f} ({low:.3f} to {high:.3f})", flush=True)


main()
