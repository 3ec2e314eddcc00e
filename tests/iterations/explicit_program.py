# SPDX-License-Identifier: MIT
"""Marks by kprof.py in every way, and checks that nothing else is different: prints the number of
marks that there have to be, or what is wrong."""
import asyncio
import inspect
import os
import sys
import threading

HAD_CTYPES = "ctypes" in sys.modules
import kprof  # noqa: E402

IMPORTED_CTYPES = "ctypes" in sys.modules and not HAD_CTYPES
marks = 0


def marked(count):
    global marks
    marks += count


def loops():
    assert [item for item in kprof.iterations(range(10))] == list(range(10))
    marked(10)
    for item in kprof.iterations(range(10)):
        if item == 4:
            break
    marked(5)
    try:
        for item in kprof.iterations(range(10)):
            if item == 2:
                raise KeyError
    except KeyError:
        marked(3)
    for item in kprof.iterations([]):
        pass


@kprof.iteration_of
def function(a, b=1):
    """Its text."""
    return a + b


@kprof.iteration_of
def failing():
    raise KeyError


@kprof.iteration_of
def generator():
    got = yield 1
    yield got
    return 7


@kprof.iteration_of
async def coroutine():
    await asyncio.sleep(0)
    return 3


@kprof.iteration_of
async def async_generator():
    got = yield 1
    assert got == "sent"
    try:
        yield 2
    except KeyError:
        yield "caught"


class Class:
    @kprof.iteration_of
    def method(self):
        return self

    @kprof.iteration_of
    @staticmethod
    def static():
        return "s"

    @staticmethod
    @kprof.iteration_of
    def static_too():
        return "s"

    @kprof.iteration_of
    @classmethod
    def of_class(cls):
        return cls


def calls():
    assert function(1) == 2 and function(1, b=3) == 4
    assert function.__name__ == "function" and function.__doc__ == "Its text."
    assert str(inspect.signature(function)) == "(a, b=1)"
    marked(2)
    try:
        failing()
    except KeyError:
        marked(1)
    instance = Class()
    assert instance.method() is instance and Class.of_class() is Class
    assert Class.static() == "s" and instance.static_too() == "s"
    marked(4)


def generators():
    assert inspect.isgeneratorfunction(generator)
    steps = generator()
    assert next(steps) == 1 and steps.send("x") == "x"
    try:
        next(steps)
    except StopIteration as end:
        assert end.value == 7
    for _ in generator():
        break
    generator()  # never begun
    marked(2)


async def async_calls():
    assert await coroutine() == 3
    await asyncio.gather(*[coroutine() for _ in range(5)])
    marked(6)
    steps = async_generator()
    assert await steps.__anext__() == 1 and await steps.asend("sent") == 2
    assert await steps.athrow(KeyError()) == "caught"
    try:
        await steps.__anext__()
        raise AssertionError("it should be over")
    except StopAsyncIteration:
        marked(1)
    steps = async_generator()
    await steps.__anext__()
    await steps.aclose()
    marked(1)


def in_threads():
    threads = [threading.Thread(target=lambda: [kprof.iteration() for _ in range(100)])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    marked(400)


def in_a_child():
    child = os.fork()
    if child == 0:
        for _ in range(7):
            kprof.iteration()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def main():
    assert inspect.iscoroutinefunction(coroutine) and inspect.isasyncgenfunction(async_generator)
    loops()
    calls()
    generators()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(async_calls())
    loop.close()
    in_threads()
    in_a_child()
    print(marks, "ctypes" if IMPORTED_CTYPES else "no-ctypes")


if __name__ == "__main__":
    main()
