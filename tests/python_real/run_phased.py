# SPDX-License-Identifier: MIT
"""Runs phased.py under kprof, a number of times, and compares the phases in the databases with what it
measured itself and with the wall time as seen from here: from posix_spawn() until waitpid() has returned.

usage: run_phased.py BUILD EXTENSION'S-DIRECTORY PROCESSES ITERATIONS"""
import contextlib
import os
import sqlite3
import subprocess
import sys
import time

from recorded_stacks import check

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD, EXTENSION = sys.argv[1:3]
PROCESSES, ITERATIONS = map(int, sys.argv[3:])
LABEL = f"{PROCESSES} x {ITERATIONS}"
# Phases that the program measures itself, and how near they must be.
MEASURED = (("imports", 0.25), ("cold", 0.1)) + ((("warm", 0.05),) if ITERATIONS > 2 else ())
ENV = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{EXTENSION}"}
PROFILED = {**ENV, "LD_PRELOAD": f"{BUILD}/libkprof.so", "KPROF_DB": os.path.abspath("phased.db"), "KPROF_QUIET": "1"}


def timed(command):
    said = [(os.POSIX_SPAWN_OPEN, 1, "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)]
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, PROFILED, file_actions=said)
    _, status = os.waitpid(child, 0)
    took = time.perf_counter() - began
    if status != 0:
        sys.exit(f"not ok - the program ends well [{LABEL}]: status {status}")
    with open("said.txt") as file:
        return took, file.read()


def one_process():
    """(share of the wall time that the phases add up to, phases, (imports, cold, warm) as the program measured them)"""
    wall, said = timed([sys.executable, os.path.join(HERE, "phased.py"), str(ITERATIONS)])
    subprocess.run([f"{BUILD}/kprof-report", "phased.db"], env=ENV, stdout=subprocess.DEVNULL, check=True)
    with sqlite3.connect("file:phased.db?mode=ro", uri=True) as db:
        phases = dict(db.execute("SELECT phase, seconds FROM phase"))
    return sum(phases.values()) / wall, phases, [float(word) for word in said.split()]


def near(found, truth, share, seconds):
    return abs(found - truth) <= max(truth * share, seconds)


def least_of(runs, phase, place):
    """(found, measured) of the run that was disturbed least: beside other work a process may be put off between the two."""
    return min(((phases.get(phase, 0), said[place]) for _, phases, said in runs), key=lambda both: abs(both[0] - both[1]))


def is_good(runs):
    return any(abs(share - 1) <= 0.02 for share, _, _ in runs) and all(
        near(*least_of(runs, phase, place), tolerance, 0.0005) for place, (phase, tolerance) in enumerate(MEASURED))


def main():
    with contextlib.suppress(OSError):
        os.nice(-10)
    runs = []
    for _ in range(6):
        runs += [one_process() for _ in range(PROCESSES)]
        if is_good(runs):
            break
    share = min((run[0] for run in runs), key=lambda share: abs(share - 1))  # of the run that was disturbed least
    shares = sorted(run[0] for run in runs)
    print(f"# phases are {shares[0]:.3f} to {shares[-1]:.3f} of the wall time, median {shares[len(shares) // 2]:.3f} [{LABEL}]")
    check(f"the phases add up to the wall time within 2 % [{LABEL}]", 0.98 <= share <= 1.02, f"{share:.4f}")
    wanted = {"start-up", "imports", "cold"} | ({"warm"} if ITERATIONS > 2 else set())
    check(f"each phase is told [{LABEL}]", all(wanted <= {k for k, v in phases.items() if v > 0} for _, phases, _ in runs), runs[0][1])
    for place, (phase, tolerance) in enumerate(MEASURED):
        found, truth = least_of(runs, phase, place)
        check(f"{phase} took what the program has measured [{LABEL}]", near(found, truth, tolerance, 0.0005), f"{found:.5f}, not {truth:.5f} s")


main()
