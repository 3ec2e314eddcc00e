# SPDX-License-Identifier: MIT
"""What `pytest --kprof` costs: `python bench_pytest.py BUILD EXTENSION [ROUNDS]`, with pytest's python.

The plain side is one pytest, without any child, that runs each clean test as often as the plugin does
(set-up, body, teardown; its warm-up, too). So all that the plugin adds counts: its processes, its
collections of garbage, its looks. Two suites: the tests' own, whose repeats take a fraction of a
millisecond, and one that reads 600 records of JSON 20 times a repeat. Both sides of a round run at the
same time, each on a core of its own, so that what else the machine does slows down both; the cores
change from round to round. Medians over the rounds; the ratio is the median of theirs."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

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


def start(suite, options, path, core):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.join(ROOT, "python"), *path]),
                   "PYTHONWARNINGS": "ignore", "PYTHONPYCACHEPREFIX": os.path.join(path[-1], "cache")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio",
               *options, suite]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))


def run_pair(suite, sides, path, cores):
    """CPU seconds and seconds of each side."""
    began, children, found = time.perf_counter(), {}, {}
    for side, core in zip(sides, cores):
        children[start(suite, sides[side], path, core).pid] = side
    while children:
        pid, status, used = os.wait3(0)
        assert status == 0, "pytest: status %d" % status
        found[children.pop(pid)] = (used.ru_utime + used.ru_stime, time.perf_counter() - began)
    return found


def show(what, pairs, tests):
    for column, unit in enumerate(("CPU", "time")):
        plain, kprof = (statistics.median(pair[side][column] for pair in pairs) for side in ("plain", "kprof"))
        ratio = statistics.median(pair["kprof"][column] / pair["plain"][column] for pair in pairs)
        print(f"{what:33} {unit:5} {plain:9.2f} {kprof:8.2f} {ratio:8.2f} {(kprof - plain) / tests:10.2f} s", flush=True)


def main():
    build, extension, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3
    cores = sorted(os.sched_getaffinity(0))[:2]
    sides = {"plain": ["-p", "plain_repeats"], "kprof": ["--kprof", "--kprof-bin=" + build]}
    print("seconds                                     plain    kprof    ratio   added per test")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("plain_repeats.py", PLAIN), ("test_work.py", WORK)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        clean = os.path.join(ROOT, "tests", "pytest_plugin", "suite", "test_clean.py")
        work = os.path.join(folder, "test_work.py")
        for what, suite, tests in (("3 tests, repeats of about 8 ms", work, 3), ("10 tests, repeats of under 1 ms", clean, 10)):
            pairs = [run_pair(suite, sides, [extension, folder], cores[:: 1 - 2 * (n % 2)]) for n in range(rounds + 1)]
            show(what, pairs[1:], tests)  # the first has compiled what is new


main()
