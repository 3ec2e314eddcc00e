# SPDX-License-Identifier: MIT
"""What stands around several tests: the process, and fixtures that are set up once and taken down behind
the last of them."""
import os

import pytest

pytestmark = pytest.mark.kprof_leaks(below="200 B", iterations=60)
begun = []
imported_in = os.getpid()


def test_in_a_copy():
    assert os.getppid() == imported_in


@pytest.fixture(scope="session")
def wide():
    return [0]


@pytest.fixture
def uses_wide(wide):
    return wide


def test_asks_at_run_time(request):
    request.getfixturevalue("uses_wide")[0] += 1


@pytest.fixture(scope="module")
def shared():
    begun.append(1)
    yield len(begun)
    raise RuntimeError("broken at the end")


def test_first_of_two(shared):
    assert shared == 1


def test_broken_at_the_end(shared):
    assert shared == 1
