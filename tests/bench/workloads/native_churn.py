# SPDX-License-Identifier: MIT
"""Columns of numbers as numpy and pandas work on them: temporary arrays of 100 B to 8 MB, little Python between. Without
numpy, the same sizes with array and memoryview."""
import array

from measured import measured

try:
    import numpy
except ImportError:
    numpy = None

COLUMNS = {}


def with_numpy(number):
    for length in (20, 300, 5000, 80_000, 1_000_000 if number % 4 == 0 else 1000):
        prices = numpy.arange(length, dtype=float)
        taxed = prices * 1.19 + number
        chosen = taxed[taxed > length / 2]
        order = numpy.argsort(-chosen[:5000])
        table = {"price": chosen[:5000][order], "sum": numpy.cumsum(chosen), "bins": numpy.bincount((prices % 7).astype(int))}
        COLUMNS[length] = table["price"][:100].copy()
    for part in numpy.array_split(COLUMNS[300], 50):
        part.sum()


def without(number):
    for length in (20, 300, 5000, 80_000, 1_000_000 if number % 4 == 0 else 1000):
        prices = array.array("d", bytes(8 * length))
        halves = prices[: length // 2] + prices[length // 2:]
        COLUMNS[length] = array.array("d", sorted(halves[:5000])[:100])
        bytes(memoryview(halves).cast("B"))
        for part in range(50):
            halves[part:part + 20].tobytes()


measured(with_numpy if numpy else without, 260 if numpy else 900)
