# SPDX-License-Identifier: MIT
"""What `pytest --kprof` costs: `python bench_pytest.py BUILD EXTENSION [ROUNDS]`, with pytest's python.

The same plugin repeats the same clean tests with kprof and with two stand-ins for its programs: one
that just runs the command, one that finds nothing. So both sides have the same children, and the
ratio is what the recording and its reading cost. Two suites: the tests' own, whose repeats take
a fraction of a millisecond, and one that reads 600 records of JSON 20 times a repeat. Both sides of
a round run at the same time, each on a core of its own, so that what else the machine does slows
down both; the cores change from round to round. CPU time is without the collector's, which works beside
the child. Medians over the rounds; the ratio is the median of theirs."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RUN = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
REPORT = """#!/bin/sh
echo '{"total": {"verdict": "no leak", "rate": {"value": 0, "low": 0, "high": 0}}, "smallest_detectable": 0,
"slope_intervals": {"live": {"value": 0, "low": 0, "high": 0}}, "iterations": 200, "sites": []}'
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


def stand_ins(folder):
    for name, text in (("kprof-run", RUN), ("kprof-report", REPORT)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
        os.chmod(os.path.join(folder, name), 0o755)


def start(suite, programs, extension, core):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.join(ROOT, "python"), extension]),
                   "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio",
               "--kprof", "--kprof-bin=" + programs, suite]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))


def run_pair(suite, programs, extension, cores):
    """CPU seconds and seconds of each side."""
    began, children, found = time.perf_counter(), {}, {}
    for side, core in zip(programs, cores):
        children[start(suite, programs[side], extension, core).pid] = side
    while children:
        pid, status, used = os.wait3(0)
        assert status == 0, "pytest --kprof: status %d" % status
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
    print("seconds                                     plain    kprof    ratio   added per test")
    with tempfile.TemporaryDirectory() as folder:
        stand_ins(folder)
        work = os.path.join(folder, "test_work.py")
        with open(work, "w") as file:
            file.write(WORK)
        clean = os.path.join(ROOT, "tests", "pytest_plugin", "suite", "test_clean.py")
        for what, suite, tests in (("3 tests, repeats of about 8 ms", work, 3), ("10 tests, repeats of under 1 ms", clean, 10)):
            programs = {"plain": folder, "kprof": build}
            show(what, [run_pair(suite, programs, extension, cores[:: 1 - 2 * (n % 2)]) for n in range(rounds)], tests)


main()
