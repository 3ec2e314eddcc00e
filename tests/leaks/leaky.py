# SPDX-License-Identifier: MIT
"""A program whose leak is known: leaky.py ROUNDS KIND BYTES ONSET SHAPE SEED

Each round does some work, and from round ONSET on it leaks BYTES where KIND says: none, native,
bridge, python, pyo3. SHAPE is what else goes on: "usual" is a warm-up, a cache that fills up, garbage that
waits for its collector (a sawtooth) and noise; the others are shapes that are taken for leaks.
Prints the bytes that were asked for and leaked, per round.
"""
import collections
import gc
import math
import random
import sys
import threading
import zlib

import keeper
import kprof

forgotten = []
TEXT = b"work" * 25000


def leak_none(size):
    return 0


def leak_native(size):
    keeper.forget(size)
    return size


def leak_bridge(size):
    return sys.getsizeof(keeper.convert(size))


def leak_python(size):
    before = sys.getsizeof(forgotten)
    forgotten.append(bytearray(size))
    return sys.getsizeof(forgotten[-1]) + sys.getsizeof(forgotten) - before


def objects_of(value):
    """Every object that can be reached, by its id."""
    found = {id(value): value}
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    for part in parts:
        found.update(objects_of(part))
    return found


def request_bytes(engine):
    """What a request takes for itself: not what it shares with the next."""
    one, another = (objects_of(engine.send_pythonize()) for _ in range(2))
    return sum(sys.getsizeof(value) for key, value in one.items() if key not in another)


def start_engine(size):
    """The PyO3 example forgets a handle of each request, whose text makes it as large as asked for."""
    import pyo3_engine
    text = max(size - request_bytes(pyo3_engine.Engine(0, False)), 0)
    forgotten.extend([pyo3_engine.Engine(text, True), request_bytes(pyo3_engine.Engine(text, False))])


def leak_pyo3(size):
    forgotten[0].send_pythonize()
    return forgotten[1]


class Node:
    def __init__(self):
        self.me = self
        self.load = bytearray(1500)


class Program:
    def __init__(self, rounds, seed):
        self.rounds = rounds
        self.draw = random.Random(seed)
        self.kept = []
        self.cache = collections.OrderedDict()
        self.now = self.collects = 0
        self.sizes = []

    def warm_up(self):
        if self.draw.random() < math.exp(-self.now / 40):
            self.kept.append(bytearray(self.draw.randrange(500, 3000)))

    def remember(self, size, newest_goes=False):
        key = 1000 + self.now  # up to 256 a number costs nothing: the cache would go on growing for a while
        self.cache[key] = bytearray(self.draw.randrange(900, 1600))
        if len(self.cache) > size:
            self.cache.popitem(newest_goes)

    def noise(self):
        keeper.work(self.draw.randrange(1000, 8000))
        return [str(n) * 5 for n in range(self.draw.randrange(40, 80))]

    def saw(self):
        Node()
        if self.now >= self.collects:
            gc.collect(0)
            self.collects = self.now + self.draw.randrange(12, 22)


def shape_usual(p):
    p.warm_up()
    p.remember(p.rounds // 10)
    p.saw()


def shape_noise(p):
    p.kept = [bytearray(p.draw.randrange(100, 5000)) for _ in range(20)]


def shape_queue(p):
    p.kept.extend(bytearray(1000) for _ in range(p.draw.randrange(5)))
    del p.kept[:p.draw.randrange(5) if len(p.kept) > 40 else 0]


def shape_saw(p):
    p.saw()


def shape_fifo(p):
    p.remember(p.rounds // 3)


def shape_random(p):
    p.remember(10 ** 9)
    if len(p.cache) > p.rounds // 5:
        del p.cache[p.draw.choice(list(p.cache))]


def shape_log(p):
    if p.draw.random() < 20 / (p.now + 1):
        p.kept.append(bytearray(2000))


def shape_step(p):
    if p.now == p.rounds * 6 // 10:
        p.kept.extend(bytearray(4000) for _ in range(50))


def shape_walk(p):
    if p.draw.random() < 0.5 and p.kept:
        p.kept.pop()
    else:
        p.kept.append(bytearray(8000))


def shape_intern(p):
    for _ in range(20):
        p.kept.append(sys.intern("word%d" % (300 * p.draw.random() ** 3)))
    del p.kept[:-20]


def shape_threads(p):
    if p.draw.random() < 8 / p.rounds and len(p.kept) < 16:
        done = threading.Event()
        thread = threading.Thread(target=done.wait, daemon=True)
        thread.start()
        p.kept.append((thread, done))


def shape_fragment(p):
    """glibc: as much comes as goes, but what goes leaves holes that are a little too small."""
    if not p.kept:
        p.kept = [bytearray(2500) for _ in range(8000)]
        p.sizes = p.draw.sample(range(len(p.kept)), 4 * p.rounds)
    for _ in range(4):
        p.kept[p.sizes.pop()] = None
    p.cache[p.now] = [bytearray(2516) for _ in range(4)]


def shape_objects(p):
    """Python's own allocator: each size has pools of its own, and a few objects keep each pool."""
    if not p.kept:
        p.kept = [bytes([n % 256]) * 250 for n in range(3000)]
        p.sizes = p.draw.sample(range(48, 480, 16), 27)
    size = p.sizes[p.now * 27 // p.rounds] + 1 - p.now % 2
    blocks = [bytes([n % 256]) * size for n in range(3000)]
    for block in p.draw.sample(blocks, 6):
        p.kept[p.draw.randrange(len(p.kept))] = block


SHAPES = {name[6:]: function for name, function in list(globals().items()) if name.startswith("shape_")}
LEAKS = {name[5:]: function for name, function in list(globals().items()) if name.startswith("leak_")}


def main():
    rounds, kind, size, onset, shape, seed = sys.argv[1:]
    gc.disable()  # the saw has a period of its own
    p = Program(int(rounds), int(seed))
    one, leak, size, onset, leaked = SHAPES[shape], LEAKS[kind], int(size), int(onset), 0
    if kind == "pyo3":
        start_engine(size)
    for p.now in kprof.iterations(range(p.rounds)):
        p.noise()
        one(p)
        for _ in range(30):
            zlib.crc32(TEXT)
        if p.now >= onset:
            leaked += leak(size)
    print(leaked / (p.rounds - onset))


main()
