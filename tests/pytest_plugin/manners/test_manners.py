# SPDX-License-Identifier: MIT
"""What a checked test may be and do besides leaking; test_plugin.sh knows what becomes of each."""
import ctypes
import os
import signal
import sys
import time
import unittest

import pytest

pytestmark = pytest.mark.kprof_leaks(below="200 B", iterations=60)
kept = []
calls = {"fails": 0, "crashes": 0}


def leak():
    kept.append(bytearray(2000))


@pytest.fixture
def broken():
    raise RuntimeError("broken fixture")


def test_passes():
    pass


@pytest.mark.kprof_leaks(iterations=60)
def test_nearer_mark_counts():
    pass


@pytest.mark.skip(reason="not here")
def test_skipped():
    pass


def test_skips_itself():
    pytest.skip("not now")


def test_fails():
    assert [1] == [2]


def test_fails_later():
    calls["fails"] += 1
    assert calls["fails"] < 4


def test_broken_fixture(broken):
    pass


@pytest.mark.xfail(reason="known")
def test_expected_failure():
    assert False


@pytest.mark.xfail(reason="known")
def test_unexpected_pass():
    pass


@pytest.mark.xfail(reason="known", strict=True)
def test_strictly_unexpected_pass():
    pass


@pytest.mark.xfail(reason="known to leak")
def test_expected_leak():
    leak()


@pytest.mark.xfail(reason="known to leak", strict=True)
def test_strictly_expected_leak():
    leak()


@pytest.mark.xfail(reason="another one", raises=KeyError)
def test_leak_is_no_key_error():
    leak()


def test_crashes():
    calls["crashes"] += 1
    if calls["crashes"] == 3:
        ctypes.string_at(0)


def test_exits():
    os._exit(7)


def test_dies_before_its_child():
    tester = "/proc/%d" % os.getppid()
    if os.fork() == 0:
        while os.path.exists(tester):
            time.sleep(0.1)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def test_calls_exit():
    sys.exit("left")


class TestUnit(unittest.TestCase):
    def setUp(self):
        self.body = bytearray(1000)

    def test_unit(self):
        self.assertEqual(len(self.body), 1000)


@pytest.mark.parametrize("text", ["a/b", "a::b", "[ä]", ""], ids=str)
def test_names(text):
    pass


@pytest.mark.asyncio
async def test_async_leak():
    leak()
