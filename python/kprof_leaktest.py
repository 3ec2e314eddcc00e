# SPDX-License-Identifier: MIT
"""What pytest_kprof does with one test: two looks at it, and the verdict.

A test is first repeated without kprof: what the allocators say of themselves after each repeat shows
whether anything grows (kprof_totals.py), and most tests are through with that. One that may grow is
repeated under kprof, and kprof-report has the last word, and the place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from kprof_children import TUNING, Children, Unusable
from kprof_repeats import COARSE_RATE

_SURVIVORS = 40  # samples that a leak of `below` leaves behind
_FINEST = 64  # bytes between samples
_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}
_NAME_MAX = 80


class Check(NamedTuple):
    """What is asked of a test."""

    below: float  # bytes per repeat
    iterations: int

    @property
    def warm_up(self) -> int:
        """Repeats ahead of those that count: what is imported, compiled and cached at first is no
        growth, and would hide how little there is later."""
        return self.iterations // 10


class Growth(NamedTuple):
    """The verdict on a test; sizes in bytes per repeat."""

    verdict: str
    value: float
    low: float
    high: float
    smallest: float | None  # what could have been named; None: nothing
    live: float | None  # upper bound of the growth of all that is in use; None: nobody has said
    iterations: int  # that were looked at
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


class Run:
    """One test, looked at. After check(), `result` is what the last child has said."""

    def __init__(self, children: Children, nodeid: str, check: Check, kept: Path) -> None:
        self.children, self.asked = children, check
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", nodeid)[-_NAME_MAX:].strip("-.")
        self.recording = kept / ("%s-%04x.db" % (name, zlib.crc32(nodeid.encode()) & 0xFFFF))
        self.result: dict[str, Any] = {}
        self.is_settled = True  # nothing is recorded any more

    def check(self, test: str, following: str | None, always_record: bool) -> Growth | None:
        """None when something was raised, so that nothing can be said."""
        request = {"test": test, "warm_up": self.asked.warm_up, "iterations": self.asked.iterations, "next": None}
        if first_look_is_due(always_record):
            self._take(self.children.look({**request, "below": self.asked.below, "next": following}))
            if self.result["raised"]:
                return None
            low, value, high = self.result["growth"]
            if high <= self.asked.below:
                return Growth("no leak", value, low, high, None, high, self.asked.iterations, "")
        self.is_settled = False
        options = [] if _is_tuned() else ["--rate", "%d" % COARSE_RATE]
        self._take(self.children.record({**request, "rate": self._rate()}, self.recording, options))
        return None if self.result["raised"] else self._growth()

    def fails(self, growth: Growth) -> bool:
        return growth.is_leak and growth.low > self.asked.below

    def explanation(self) -> str:
        return self._report("leaks").stdout.rstrip()

    def forget(self) -> None:
        """Deletes the recording, after the last of it has been written."""
        if not self.is_settled:
            self._report("processes")
        with contextlib.suppress(OSError):
            self.recording.unlink()

    def _take(self, result: dict[str, Any]) -> None:
        self.result = result
        if result["error"]:
            raise Unusable(result["error"])

    def _rate(self) -> int | None:
        """Of the repeats; None: the user's."""
        rate = self.asked.below * self.asked.iterations / _SURVIVORS
        return None if _is_tuned() else int(min(max(rate, _FINEST), COARSE_RATE))

    def _growth(self) -> Growth:
        said = self._report("leaks", "--json")
        try:
            growth = _read_growth(json.loads(said.stdout))
        except (ValueError, KeyError, TypeError):
            reason = said.stderr.strip() or "kprof-report ended with status %d" % said.returncode
            raise Unusable("the recording cannot be read: %s%s" % (reason, self.children.output())) from None
        self.is_settled = True
        if growth.iterations != self.asked.iterations:
            raise Unusable("kprof has recorded %d of %d repeats%s" % (
                growth.iterations, self.asked.iterations, self.children.output()))  # fmt: skip
        return growth

    def _report(self, report: str, *options: str) -> Any:
        return self.children.programs.ask(self.recording, report, *options)


def first_look_is_due(always_record: bool) -> bool:
    return not always_record and not _is_tuned()


def _is_tuned() -> bool:
    return not os.environ.keys().isdisjoint(TUNING)


def _read_growth(leaks: dict[str, Any]) -> Growth:
    total, live = leaks["total"], leaks["slope_intervals"]["live"]
    return Growth(total["verdict"], *(total["rate"][bound] for bound in ("value", "low", "high")),
                  leaks["smallest_detectable"], live["high"] if live else None,
                  leaks["iterations"], leaks["sites"][0]["where"] if leaks["sites"] else "")  # fmt: skip
