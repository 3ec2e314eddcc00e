# SPDX-License-Identifier: MIT
"""One run of leaky.py under libkprof.so with default settings: the truth, and what the report said.

Runs are kept in a file, a line of JSON each, so that a series which takes an hour can be stopped
and goes on where it was. The file belongs to one build of kprof and of these programs.
"""
import hashlib
import json
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, ONSET = 1000, 200
PLACES = {"native": ("forget", "leak_native"), "bridge": ("convert", "leak_bridge"),
          "python": ("leak_python",), "pyo3": ("leak_pyo3", "send_pythonize")}
SIDES = {"pyo3": "bridge"}


def name_of(build, keeper):
    """Of the file of runs: other programs would give other results."""
    digest = hashlib.sha256()
    for path in ([os.path.join(build, name) for name in ("libkprof.so", "kprof-collect", "kprof-report")] +
                 [os.path.join(keeper, "keeper.so"), os.path.join(HERE, "leaky.py")]):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:12] + ".jsonl"


def figures_of(kind, truth, report):
    total, sites = report["total"], report["sites"]
    first = sites[0] if sites else {"stack": [], "side": "", "where": ""}
    functions = [frame["function"].replace("::", ".").split(".")[-1] for frame in first["stack"]]
    return {"truth": truth, "verdict": total["verdict"], "grows": total["grows"], "exact": total["exact"],
            "rate": [total["rate"][key] for key in ("value", "low", "high")], "slopes": report["slopes"],
            "detectable": report["smallest_detectable"], "onset": report["warmup_until"],
            "place": all(name in functions for name in PLACES.get(kind, ())),
            "side": first["side"] == SIDES.get(kind, kind), "where": first["where"]}


class Runner:
    def __init__(self, build, python, directory, kept=None):
        """`kept` is the file of runs; without one they are forgotten."""
        self.build, self.python, self.directory, self.kept = build, python, directory, kept
        self.known = {}
        if kept and os.path.exists(kept):
            with open(kept) as file:
                for run in map(json.loads, file):
                    self.known[tuple(run["key"])] = run

    def record(self, database, kind, size, shape, seed):
        paths = [os.environ["KEEPER"], os.path.join(HERE, "..", "..", "python"),
                 os.path.join(self.build, "examples", "pyo3-engine", "release")]
        environment = dict(os.environ, LD_PRELOAD=os.path.join(self.build, "libkprof.so"), KPROF_DB=database,
                           KPROF_QUIET="1", PYTHONPATH=os.pathsep.join(paths))
        out = subprocess.run([self.python, os.path.join(HERE, "leaky.py"), str(ROUNDS), kind, str(size), str(ONSET),
                              shape, str(seed)], env=environment, check=True, stdout=subprocess.PIPE)
        return float(out.stdout.decode())

    def report(self, database):
        out = subprocess.run([os.path.join(self.build, "kprof-report"), database, "leaks", "--json"], check=True,
                             stdout=subprocess.PIPE)
        return json.loads(out.stdout.decode())

    def run(self, kind, size, shape, seed):
        key = (kind, size, shape, seed)
        if key not in self.known:
            with tempfile.TemporaryDirectory(dir=self.directory) as place:
                database = os.path.join(place, "leaky.db")
                truth = self.record(database, kind, size, shape, seed)
                self.known[key] = dict(figures_of(kind, truth, self.report(database)), key=key)
            if self.kept:
                with open(self.kept, "a") as file:
                    file.write(json.dumps(self.known[key]) + "\n")
        return self.known[key]
