# SPDX-License-Identifier: MIT
"""Functions of every sort, for KPROF_ITERATION; named_program.py calls each a known number of
times. early() and work() are called while this module is imported."""
import functools

from named.inner import work  # noqa: F401


def early():
    pass


early()
early()


def silent(function):  # a decorator that does not tell what it is around
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


def telling(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@silent
def silently():
    pass


@telling
def told():
    pass


@functools.lru_cache(maxsize=None)
def cached(number):
    return number


partial = functools.partial(work, 3)


class Base:
    def __init__(self):
        pass

    def __call__(self):
        pass

    def method(self):
        pass

    def early(self):  # is not the function of that name
        pass

    @staticmethod
    def static():
        pass

    @classmethod
    def of_class(cls):
        pass

    @property
    def prop(self):
        return 1

    class Nested:
        def method(self):
            pass


class Derived(Base):
    pass


class Plain:
    pass


bound = Base().method
instance = Base()


def generator():
    yield 1
    yield 2


async def async_generator():
    yield 1
    yield 2


async def coroutine():
    return 1


def recursive(depth):
    return recursive(depth - 1) if depth else 0


def failing():
    raise ValueError


def schön():
    pass


def outer():
    def inside():
        pass

    return inside

