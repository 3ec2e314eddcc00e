# SPDX-License-Identifier: MIT
"""Calls the functions of `named` and a few others; test_by_name.sh knows how often."""
import asyncio
import collections
import math
import os
import threading
import zlib

import named


def step():
    pass


class Worker:
    def step(self):
        pass


def times(count, function, *arguments):
    for _ in range(count):
        function(*arguments)


async def async_part():
    for _ in range(4):
        async for _ in named.async_generator():
            pass
    for _ in range(3):
        await named.coroutine()
    await asyncio.gather(*[named.coroutine() for _ in range(5)])


def failing():
    try:
        named.failing()
    except ValueError:
        pass


def unstarted():
    generator = named.generator()
    try:
        generator.throw(KeyError)  # before its first step: none of its code runs
    except KeyError:
        pass
    named.generator()


def in_threads():
    threads = [threading.Thread(target=times, args=(250, named.Base.static)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_a_child():
    child = os.fork()
    if child == 0:
        times(6, step)
        os._exit(0)
    os.waitpid(child, 0)


def main():
    times(20, step)
    times(5, Worker().step)
    times(10, named.work)
    times(7, named.silently)
    times(6, named.told)
    for number in range(6):
        named.cached(number // 2)
    times(4, named.partial)
    times(3, named.Derived().method)
    times(9, named.Base)
    times(2, named.bound)
    times(8, named.early)
    times(3, named.Base().early)
    times(12, named.Base().of_class)
    for _ in range(5):
        named.Base().prop
    times(4, named.Base.Nested().method)
    times(11, named.instance)
    times(5, lambda: list(named.generator()))
    unstarted()
    asyncio.new_event_loop().run_until_complete(async_part())
    named.recursive(10)
    times(6, failing)
    times(13, named.schön)
    times(14, named.outer())
    times(14, zlib.crc32, b"x")
    times(15, math.gcd, 4, 6)
    times(16, collections.deque().rotate)
    in_threads()
    in_a_child()


if __name__ == "__main__":
    main()
