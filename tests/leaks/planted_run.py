# SPDX-License-Identifier: MIT
"""One run of leaky.py under libkprof.so with default settings: the truth, and what the report said.

Recordings are kept in a folder, so that a series which takes an hour can be stopped and goes on where
it was, and a run that was judged wrongly can be looked at. The folder belongs to one build of the
library and of these programs; reports are made anew.
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
    """Of the folder of recordings: other programs would make others."""
    digest = hashlib.sha256()
    for path in ([os.path.join(build, name) for name in ("libkprof.so", "kprof-collect")] +
                 [os.path.join(keeper, "keeper.so"), os.path.join(HERE, "leaky.py")]):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:12]


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
        """`kept` is the folder of recordings; without one they are forgotten."""
        self.build, self.python, self.directory, self.kept = build, python, directory, kept

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

    def place(self, *key):
        """Where a run is kept, without what tells its database from its truth."""
        return os.path.join(self.kept, "-".join(map(str, key)))

    def is_known(self, *key):
        return bool(self.kept) and os.path.exists(self.place(*key) + ".truth")

    def make(self, where, *key):
        """Records; the truth is written last, and says that the run is whole."""
        truth = self.record(where + ".db", *key)
        report = self.report(where + ".db")
        with open(where + ".truth", "w") as file:
            file.write("%r\n" % truth)
        return truth, report

    def run(self, *key):
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            where = self.place(*key) if self.kept else os.path.join(folder, "leaky")
            if self.is_known(*key):
                with open(where + ".truth") as file:
                    truth, report = float(file.read()), self.report(where + ".db")
            else:
                truth, report = self.make(where, *key)
        return dict(figures_of(key[0], truth, report), key=key)
