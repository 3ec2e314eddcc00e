# SPDX-License-Identifier: MIT
"""Records go from Rust to Python and back by pythonize (tests/pyo3), a few of them stay. A round is 1,000 records."""
import bridge
from measured import measured

KEPT = []


def one_round(number):
    for n in range(1000):
        record = bridge.to_python(n)
        bridge.from_python(record)
        if n == number % 1000:
            KEPT.append(record)


measured(one_round, 1700)
