# SPDX-License-Identifier: MIT
"""A function that its package passes on by its own name."""


def work(number=1):
    return number


work()
