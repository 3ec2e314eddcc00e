# SPDX-License-Identifier: MIT
"""Fixtures that stand around several tests: set up once, taken down behind the last of them."""
import pytest

pytestmark = pytest.mark.kprof_leaks(below="200 B", iterations=60)
begun = []


@pytest.fixture(scope="module")
def shared():
    begun.append(1)
    yield len(begun)
    raise RuntimeError("broken at the end")


def test_first_of_two(shared):
    assert shared == 1


def test_broken_at_the_end(shared):
    assert shared == 1
