# SPDX-License-Identifier: MIT
"""What pytest_kprof does with one test: a child that repeats it under kprof (kprof_repeats.py), and
the verdict of kprof-report on the recording that the child leaves.

Runs in the pytest process, or in a worker of pytest-xdist; the only code here that starts processes
and touches files. Messages are one line each, lower case, with what to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

# A test is first repeated with few samples: what the allocators say of themselves at each mark shows
# whether anything grows, and most tests are through with that. For one that may grow the repeats
# begin again, with so many samples that a leak of `below` leaves about 40 of them behind.
_BUDGET = "1%"
_SURVIVORS = 40
_FINEST, _COARSEST = 64, 1 << 20  # bytes between samples
_LARGEST_BLOCK = 8  # of Python's own allocator, 512 B, by the 64 that unknown ones are taken for
_TUNING = ("KPROF_RATE", "KPROF_BUDGET")  # of a user who knows better
_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}
_NAME_MAX = 80
_OUTPUT_LINES = 12  # from the beginning and from the end of what a child said that failed
_START = "import sys, json; job = json.load(open(sys.argv[1])); sys.path[:] = job['path']; import kprof_repeats; sys.exit(kprof_repeats.main(job))"


class Unusable(Exception):
    """kprof cannot be used here at all, or a value cannot; the text says why."""


class Check(NamedTuple):
    """What is asked of a test."""

    below: float  # bytes per repeat
    iterations: int

    @property
    def warm_up(self) -> int:
        """Repeats ahead of those that count: what is imported, compiled and cached at first is no
        growth, and would hide how little there is later."""
        return self.iterations // 10

    @property
    def repeats(self) -> int:
        return self.warm_up + self.iterations


class Growth(NamedTuple):
    """The verdict on a recording; sizes in bytes per repeat."""

    verdict: str
    value: float
    low: float
    high: float
    smallest: float | None  # what could have been named; None: nothing
    live: float | None  # upper bound of the growth of all that is in use; None: nobody has said
    drift: float  # that growth itself
    iterations: int  # that were recorded
    where: str  # what grows most

    @property
    def is_leak(self) -> bool:
        return self.verdict in ("leak", "probable leak")


def parse_size(text: Any) -> float:
    """100, "100 B", "1.5 KB" (1,500), "2 KiB" (2,048)."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*(|[KMG]I?)B?\s*", str(text), re.IGNORECASE)
    if not match:
        raise Unusable("%r is no size; sizes are 100, '100 B', '1.5 KB', '2 KiB'" % (text,))
    return float(match.group(1)) * _UNITS[match.group(2).upper()]


def format_size(value: float) -> str:
    """Three digits, in steps of 1,000, as kprof-report has them."""
    unit = "B"
    for unit in ("B", "KB", "MB", "GB"):
        if value < 999.5:
            break
        value /= 1000
    digits = 0 if unit == "B" or value >= 99.95 else 1 if value >= 9.995 else 2
    return "%.*f %s" % (digits, value, unit)


def format_growth(growth: Growth) -> str:
    if growth.is_leak:
        return "%s (%s to %s)" % tuple(format_size(size) for size in (growth.value, growth.low, growth.high))
    bound = growth.smallest if growth.live is None else growth.live
    return "unknown" if bound is None else "at most " + format_size(max(bound, 0))


class Programs:
    """kprof-run and kprof-report: where the user says, beside the plugin (share/kprof and bin, in
    the sources python and build), or on PATH."""

    def __init__(self, given: str | None) -> None:
        if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
            raise Unusable("kprof records on Linux on x86-64 only; run the tests without --kprof here")
        self.run = self._find("kprof-run", given)
        self.report = self._find("kprof-report", given)

    @staticmethod
    def _find(name: str, given: str | None) -> str:
        here = Path(__file__).resolve().parent
        beside = os.pathsep.join([str(here.parent.parent / "bin"), str(here.parent / "build")])
        found = shutil.which(name, path=given or beside) or (None if given else shutil.which(name))
        if found:
            return os.path.abspath(found)
        raise Unusable("cannot find %s %s; install kprof, or say with --kprof-bin where it is" % (
            name, "in " + given if given else "beside the plugin or on PATH"))


class Run:
    """One test, repeated in a child. After check(), `result` is what the child has said."""

    def __init__(self, programs: Programs, nodeid: str, check: Check, folder: Path, kept: Path) -> None:
        self.programs, self.asked, self.folder = programs, check, folder
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", nodeid)[-_NAME_MAX:].strip("-.")
        self.recording = kept / ("%s-%04x.db" % (name, zlib.crc32(nodeid.encode()) & 0xFFFF))
        self.result: dict[str, Any] = {}
        self.is_settled = False  # a report has been made, and nothing is recorded any more

    def check(self, test: list[str], arguments: list[str], directory: str) -> Growth | None:
        """None when something was raised, so that nothing can be said."""
        growth = None
        for samples in self._passes():
            self._repeat(samples, test, arguments, directory)
            if self.result["error"]:
                raise Unusable(self.result["error"])
            if self.result["raised"]:
                return None
            growth = self._growth()
            if self.fails(growth) or self.is_clear(growth):
                break
        return growth

    def fails(self, growth: Growth) -> bool:
        return growth.is_leak and growth.low > self.asked.below

    def is_clear(self, growth: Growth) -> bool:
        """Nothing seems to grow at all. Python counts its blocks, not their bytes; where no sample
        has said how large they are the totals take them for small ones."""
        if growth.verdict != "no leak" or growth.live is None:
            return False
        return max(growth.live, growth.drift * _LARGEST_BLOCK) <= self.asked.below

    def explanation(self) -> str:
        return self._report("leaks").stdout.rstrip()

    def forget(self) -> None:
        """Deletes the recording, after the last of it has been written."""
        if not self.is_settled:
            self._report("processes")
        with contextlib.suppress(OSError):
            self.recording.unlink()

    def _passes(self) -> list[list[str]]:
        if set(_TUNING) & set(os.environ):
            return [[]]
        rate = self.asked.below * self.asked.iterations / _SURVIVORS
        return [["--budget", _BUDGET], ["--rate", "%d" % min(max(rate, _FINEST), _COARSEST)]]

    def _repeat(self, samples: list[str], test: list[str], arguments: list[str], directory: str) -> None:
        job = {
            "test": test, "arguments": arguments, "path": sys.path, "argv": sys.argv,
            "warm_up": self.asked.warm_up, "repeats": self.asked.repeats, "basetemp": str(self.folder / "tmp"),
            "result": str(self.folder / "result.json"), "progress": str(self.folder / "progress"),
        }  # fmt: skip
        self.is_settled = False
        (self.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        status = self._run_child(samples, directory)
        try:
            self.result = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
            (self.folder / "result.json").unlink()
        except (OSError, ValueError):
            self.result = {"repeats": self._progress(), "raised": False, "reports": [], "error": ""}
        if not self.result["error"] and not self.result["reports"]:
            self.result["error"] = self._what_ended_it(status)

    def _run_child(self, samples: list[str], directory: str) -> int:
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        command = [self.programs.run, "--output", str(self.recording), "--follow", "none", "--quiet", *samples, "--",
                   sys.executable, *flags, "-c", _START, str(self.folder / "job.json")]  # fmt: skip
        with open(self.folder / "output", "wb") as output:
            child = subprocess.Popen(command, cwd=directory, env=self._environment_of_child(samples), stdin=subprocess.DEVNULL,
                                     stdout=output, stderr=subprocess.STDOUT)  # fmt: skip
            try:
                return child.wait()
            finally:  # Ctrl-C, or a time limit that some plugin has set
                child.kill()
                child.wait()

    @staticmethod
    def _environment_of_child(samples: list[str]) -> dict[str, str]:
        """The first look need not know what crosses between Python and native code."""
        return {**_environment(), **({"KPROF_CONVERSIONS": "0"} if "--budget" in samples else {})}

    def _growth(self) -> Growth:
        said = self._report("leaks", "--json")
        try:
            growth = _read_growth(json.loads(said.stdout))
        except (ValueError, KeyError, TypeError):
            reason = said.stderr.strip() or "kprof-report ended with status %d" % said.returncode
            raise Unusable("the recording cannot be read: %s%s" % (reason, self._output())) from None
        self.is_settled = True
        if growth.iterations != self.asked.iterations:
            raise Unusable("kprof has recorded %d of %d repeats%s" % (
                growth.iterations, self.asked.iterations, self._output()))  # fmt: skip
        return growth

    def _report(self, report: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.programs.report, str(self.recording), report, *options], text=True,
                              env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)  # fmt: skip

    def _progress(self) -> int:
        try:
            return int((self.folder / "progress").read_text() or 0)
        except (OSError, ValueError):
            return 0

    def _output(self) -> str:
        said = (self.folder / "output").read_text(encoding="utf-8", errors="replace").strip()
        lines = said.splitlines()
        if len(lines) > 2 * _OUTPUT_LINES:
            lines[_OUTPUT_LINES:-_OUTPUT_LINES] = ["..."]
        return "\n" + "\n".join(lines) if said else ""

    def _what_ended_it(self, status: int) -> str:
        end = "ended with status %d" % status
        if status < 0:
            end = "was killed by " + signal.Signals(-status).name
        return "the process that repeats the test %s in repeat %d of %d%s" % (
            end, self.result["repeats"] + 1, self.asked.repeats, self._output())  # fmt: skip


def _read_growth(leaks: dict[str, Any]) -> Growth:
    total, live = leaks["total"], leaks["slope_intervals"]["live"]
    return Growth(total["verdict"], *(total["rate"][bound] for bound in ("value", "low", "high")),
                  leaks["smallest_detectable"], live["high"] if live else None, live["value"] if live else 0,
                  leaks["iterations"], leaks["sites"][0]["where"] if leaks["sites"] else "")  # fmt: skip


def _environment() -> dict[str, str]:
    """The child is recorded for itself, also inside another recording, and only for memory."""
    wanted = {name: value for name, value in os.environ.items()
              if not name.startswith(("KPROF_", "COV_CORE_")) or name in _TUNING}  # fmt: skip
    wanted.pop("PYTEST_CURRENT_TEST", None)
    preloads = [path for path in re.split("[: ]+", wanted.pop("LD_PRELOAD", ""))
                if path and os.path.basename(path) != "libkprof.so"]  # fmt: skip
    if preloads:
        wanted["LD_PRELOAD"] = ":".join(preloads)
    return wanted
