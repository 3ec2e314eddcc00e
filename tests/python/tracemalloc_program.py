# SPDX-License-Identifier: MIT
"""Allocates on known lines; under tracemalloc when told to, and then writes down what that says.

usage: tracemalloc_program.py [FILE]
FILE: JSON, {"file:line": [bytes and blocks up to 512 bytes, bytes and blocks above]} of what lives at
the end of the work, by the innermost Python line. Everything stays alive: leaves by os._exit.
"""
import json
import os
import sys
import tracemalloc

KEEP = []


# An object that Python takes from a free list is new to tracemalloc and old to malloc. So those lists
# are emptied first, and the work throws next to nothing away.
NUMBERS = list(range(300, 21000))
DRAINED = [[[], {}, set(), float(n), n + 100000, slice(n), iter(()), [n].append, range(n)] for n in NUMBERS[:400]]
DRAINED += [(n,) * size for n in NUMBERS[:1000] for size in range(1, 21)]
RECORDS = [{"a": n, "b": [n, str(n)], "c": None} for n in NUMBERS[:1000]]
DOCUMENT = json.dumps(RECORDS)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a
        self.b = [a]


class Dicts:
    def __init__(self, number):
        self.number = number * 1000003
        self.text = "text %d" % number


def generator(count):
    for number in NUMBERS[:count]:
        yield {"id": number + 100000, "text": str(number)}


def write_down(snapshot, path):
    lines = {}
    for trace in snapshot.traces:
        frame = trace.traceback[0]
        place = lines.setdefault("%s:%d" % (frame.filename, frame.lineno), [0, 0, 0, 0])
        large = 2 if trace.size > 512 else 0
        place[large] += trace.size
        place[large + 1] += 1
    with open(path, "w", encoding="utf-8") as file:
        json.dump(lines, file)


def work():
    KEEP.append([bytes(number % 400) for number in NUMBERS[:3000]])
    KEEP.append([bytes(480 + number % 80) for number in NUMBERS[:3000]])
    KEEP.append([bytearray(700) for _ in NUMBERS[:500]])
    KEEP.append([Slots(number) for number in NUMBERS[:2000]])
    KEEP.append([Dicts(number) for number in NUMBERS[:2000]])
    KEEP.append(list(generator(2000)))
    KEEP.append([(number, number + 1000) for number in NUMBERS[:3000]])
    KEEP.append(json.loads(DOCUMENT))
    KEEP.append([float(number) for number in NUMBERS[:5000]])
    KEEP.append({number: {number} for number in NUMBERS[:1500]})
    KEEP.append([lambda: number for number in NUMBERS[:1000]])
    grown = []
    for number in NUMBERS:
        grown.append(number + 30000)
    KEEP.append(grown)
    for number in NUMBERS[:1000]:
        KEEP.append("x" * number)
    KEEP.append(["\u20ac" * number for number in NUMBERS[:500]])
    for number in NUMBERS[:200]:
        KEEP.append(bytes(10000 + number))
        KEEP.append(list(range(number)))


def main():
    if len(sys.argv) > 1:
        tracemalloc.start()
    work()
    if len(sys.argv) > 1:
        write_down(tracemalloc.take_snapshot(), sys.argv[1])
    os._exit(0)


main()
