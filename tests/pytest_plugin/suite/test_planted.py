# SPDX-License-Identifier: MIT
"""What leaks: one in Python, one in a C extension (a reference that is never dropped)."""
import kinds
import pytest

handled = []


class Session:
    def __init__(self, number):
        self.number, self.body = number, bytearray(500)


@pytest.mark.kprof_leaks(below="100 B", iterations=200)
def test_leaks_in_python():
    session = Session(len(handled))
    handled.append(session)
    assert session.body[0] == 0


@pytest.mark.kprof_leaks(below="100 B", iterations=200)
def test_leaks_in_c():
    assert kinds.leak_reference(400) == 7
