# SPDX-License-Identifier: MIT
"""Programs that grow, each in a way of its own: leak_kinds.py KIND ROUNDS

Each round does a little ordinary work and then what the kind is named after. All but the last three
are leaks; `pymalloc_holes`, `glibc_holes` and `arena_holes` give back what they take, but so that the
allocator cannot (every second block of a wave stays a little longer), and RSS grows while the heap is
flat.
"""
import ctypes
import mmap
import os
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import kinds
import kprof

registry = {}
handles = []
spare = []
pools = []
TEXT = b"work" * 25000


class Order:
    def __init__(self, number):
        self.number, self.lines = number, bytes(1500)


def own_allocator(number):
    kinds.leak_in_arena(60_000)


def bundled_allocator(number):
    """As a library does that has linked its own jemalloc or mimalloc: its functions are its alone,
    only its mappings go to libc."""
    if not handles:
        library = ctypes.CDLL(sys.argv[3], mode=os.RTLD_LOCAL | os.RTLD_NOW)
        library.mi_malloc.restype, library.mi_malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        handles.append(library)
    ctypes.memset(handles[0].mi_malloc(30_000), 1, 30_000)


def mapping(number):
    kinds.leak_mapping(65536)


def python_mapping(number):
    handles.append(mmap.mmap(-1, 65536))
    handles[-1][:] = b"x" * 65536


def unjoined_thread(number):
    kinds.leak_thread()


def waiting_thread(number):
    done = threading.Event()
    thread = threading.Thread(target=done.wait, daemon=True, name="waits")
    thread.start()
    handles.append((thread, done))
    time.sleep(0.005)  # threads are counted from outside, now and then


def reference(number):
    kinds.leak_reference(1200)


def dictionary(number):
    registry["order %d" % number] = Order(number)


def rust_handle(number):
    import pyo3_engine

    if not handles:
        handles.append(pyo3_engine.Engine(2000, True))
    handles[0].send_pythonize()


def pymalloc_holes(number):
    """Ever more pools of a size class of pymalloc are left with one object each, class by class. As
    much as these objects take is given back of what was there before."""
    if not spare:
        spare.extend(bytes(470) for _ in range(30_000))
    size = 16 * (number // 40 % 30 + 3)
    wave = [bytes(size - 33) for _ in range((number % 40 + 1) * 4 * (16384 // size))]
    handles.extend(wave[-1 :: -(16384 // size)][:4])
    del spare[-4 * size // 512 :]


def glibc_holes(number):
    """Of the last round's block only the first bytes stay; the next is a little larger than the holes
    that there are. What both take is given back of what was there before."""
    kinds.take_and_shrink(50_000 + 64 * number)
    give_back(number)


def give_back(number):
    """48 bytes of glibc for what stays, 64 for the larger block; ten rounds' at once."""
    if not spare:
        spare.extend(bytes(1072) for _ in range(150))
    if number % 10 == 9:
        spare.pop()


def arena_holes(number):
    """The same in a service with a pool of threads: each has an arena of glibc's of its own."""
    if not pools:
        pools.extend(ThreadPoolExecutor(1) for _ in range(4))
    pools[number % 4].submit(kinds.take_and_shrink, 50_000 + 64 * number).result()
    give_back(number)


def work():
    for _ in range(20):
        zlib.crc32(TEXT)
    return [str(n) * 3 for n in range(100)]


def main():
    kind, rounds = globals()[sys.argv[1]], int(sys.argv[2])
    for number in kprof.iterations(range(rounds)):
        work()
        kind(number)


main()
