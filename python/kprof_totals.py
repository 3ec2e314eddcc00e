# SPDX-License-Identifier: MIT
"""What the allocators of this process say of themselves between the repeats of a test, and whether that
grows: the first look of pytest_kprof, in the child, without kprof and for a few microseconds a repeat.

It cannot say what grows nor where; what seems to grow here is for kprof to judge. So it may err on
that side only: Python counts its blocks and not their bytes, and each is taken for the largest; and
where the allocator is none that it knows nothing is clear.
"""

from __future__ import annotations

import ctypes
import os
import sys
from array import array
from typing import Any, Callable

_LARGEST_BLOCK = 512  # of Python's own allocator
_PAGE = os.sysconf("SC_PAGESIZE")
_EVERY = 2  # repeats between two notes; a note may take as long as half a short test
_BLOCKS = 10
_STUDENT = 2.306  # 95 % of Student's distribution with _BLOCKS - 2 degrees of freedom
_PROOF = 200_000  # bytes whose allocation has to be seen


class Totals:
    """Looks at the later half of `iterations` repeats. Where that is not clear, half as many follow, and
    again, always to look at the later half: what fills a cache or has been made at first has an end, a
    leak has not."""

    def __init__(self, iterations: int, below: float) -> None:
        self.iterations, self.below = iterations, below
        self.growth = (0.0, 0.0, float("inf"))  # bytes per repeat: low, value, high
        self._in_use = _find_in_use()
        self._used, self._mapped = (array("q", bytes(16 * iterations)) for _ in range(2))
        self._repeats = self._noted = 0

    @property
    def is_close(self) -> bool:
        """Whether something seemed to grow, so that it is worth a closer look."""
        return self._repeats >= self.iterations

    def note(self) -> bool:
        """Behind each repeat; whether enough has been seen."""
        if self._in_use is None:
            return True
        self._repeats += 1
        if self._repeats > self.iterations // 2 and self._repeats % _EVERY == 0:
            self._used[self._noted] = self._in_use() + sys.getallocatedblocks() * _LARGEST_BLOCK
            self._mapped[self._noted] = _mapped_bytes()
            self._noted += 1
        if self._repeats not in (self.iterations, self.iterations * 3 // 2, self.iterations * 2):
            return False
        later = slice(self._noted - self._repeats // 2 // _EVERY, self._noted)
        self.growth = max((_growth(series[later]) for series in (self._used, self._mapped)), key=lambda found: found[2])
        return self.growth[2] <= self.below or self._repeats == self.iterations * 2


def _growth(series: array[int]) -> tuple[float, float, float]:
    """Bytes per repeat, between the bounds of its interval: of ten blocks the smallest values, since
    what is garbage and what is being worked with stands above them (docs/reading-reports.md)."""
    notes = len(series) // _BLOCKS
    first = len(series) - _BLOCKS * notes
    valleys = [min(series[at : at + notes]) for at in range(first, len(series), notes)]
    length = notes * _EVERY
    steps = [later - earlier for earlier, later in zip(valleys, valleys[1:])]
    mean = sum(steps) / len(steps)
    deviation = (sum((step - mean) ** 2 for step in steps) / (len(steps) - 1)) ** 0.5
    half = _STUDENT * deviation / len(steps) ** 0.5
    return (mean - half) / length, mean / length, (mean + half) / length


def _mapped_bytes() -> int:
    """Mappings, stacks of threads and the heap of an allocator that an extension brings show here
    only."""
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read().split()[0]) * _PAGE


def _find_in_use() -> Callable[[], int] | None:
    """A function that tells the bytes in use of malloc(), None where another than glibc's is."""
    libc = ctypes.CDLL(None)
    name, field = ("mallinfo2", ctypes.c_size_t) if hasattr(libc, "mallinfo2") else ("mallinfo", ctypes.c_uint)
    names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    information: Any = type("mallinfo", (ctypes.Structure,), {"_fields_": [(word, field) for word in names]})
    ask = getattr(libc, name, None)
    if ask is None:
        return None
    ask.argtypes, ask.restype = [], information

    def in_use() -> int:
        said = ask()
        return int(said.uordblks + said.hblkhd)

    before = in_use()
    proof = bytearray(_PROOF)
    return in_use if in_use() - before >= len(proof) else None
