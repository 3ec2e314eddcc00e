# SPDX-License-Identifier: MIT
"""What does not leak, though it may look so: caches, interned strings, cycles, fixtures that pytest
makes anew, and what pytest itself keeps of a test."""
import asyncio
import collections
import functools
import logging
import sys
import threading
import warnings

import kinds
import pytest

pytestmark = pytest.mark.kprof_leaks(below="100 B", iterations=200)
numbers = iter(range(10**9))
recent = collections.OrderedDict()


@functools.lru_cache(maxsize=32)
def squares(number):
    return [i * i for i in range(number % 7 + 20)]


@pytest.fixture(scope="module")
def server():
    return {"requests": collections.deque(maxlen=10)}


@pytest.fixture
def client(server, tmp_path):
    return [server, tmp_path, bytearray(2000)]


def test_full_cache():
    number = next(numbers)
    recent[number] = bytearray(1000)
    if len(recent) > 20:
        recent.popitem(last=False)


def test_lru_cache():
    assert squares(next(numbers)) is not None


def test_interning():
    assert sys.intern("key-%d" % (next(numbers) % 50)) and sys.intern("passing %d" % next(numbers))


def test_cycles():
    first, second = [bytearray(300)], {}
    first.append(second)
    second["back"] = first


def test_fixtures(client):
    client.append([str(i) for i in range(50)])
    client[0]["requests"].append(bytearray(100))


def test_what_pytest_keeps(record_property, capsys, caplog):
    record_property("text", "x" * 200)
    warnings.warn("the same each time")
    logging.getLogger("suite").warning("logged %s", "x" * 200)
    print("x" * 300)


class TestInClass:
    @pytest.mark.parametrize("digits", [10, 400])
    def test_extension(self, digits):
        assert kinds.no_leak(digits) == 7


def test_threads():
    thread = threading.Thread(target=lambda: bytearray(100))
    thread.start()
    thread.join()


def test_coroutine():
    async def wait():
        await asyncio.sleep(0)
        return bytearray(100)

    assert asyncio.run(wait())
