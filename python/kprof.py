# SPDX-License-Identifier: MIT
"""Marks for the memory profiler kprof: what the program does over and over.

    import kprof

    kprof.iteration()                      # here one more iteration is done

    for request in kprof.iterations(requests):
        ...                                # each round is one

    @kprof.iteration_of                    # each call is one: functions, methods, coroutine
    def step(): ...                        # functions, generators and async generators

Under kprof, the recording then knows how old memory is in iterations, and whether it grows with
them. Without kprof all of this does nothing: `iteration()` is an empty call, `iterations(x)`
iterates over x, and `iteration_of` returns the function as it is.

One file of pure Python without dependencies: put it on PYTHONPATH, or copy it into the program.
Iterations are counted per process, on all threads together, from 1. See kprof(3).
"""

import os

__all__ = ["iteration", "iterations", "iteration_of"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncGenerator, Callable, Generator, Iterable, Iterator, Optional, TypeVar

    _Item = TypeVar("_Item")
    _Function = TypeVar("_Function")

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200  # as in inspect


def _find_mark():
    # type: () -> Optional[Callable[[], object]]
    """libkprof.so's kprof_iteration(), None when it is not in this process.

    The session is in the environment of every process that is recorded, and of few that are not;
    only then is ctypes worth its import. PyDLL, because the call takes less time than letting
    other threads run meanwhile.
    """
    if os.environ.get("KPROF_SESSION", "-") == "-":
        return None
    try:
        import ctypes

        mark = ctypes.PyDLL(None).kprof_iteration
    except (ImportError, OSError, AttributeError):
        return None
    mark.argtypes, mark.restype = [], None
    return mark  # type: ignore[no-any-return]


_mark = _find_mark()

if _mark is None:

    def iteration():
        # type: () -> None
        """Marks that one more iteration is done. (kprof is not in this process: does nothing.)"""

else:

    def iteration():
        # type: () -> None
        """Marks that one more iteration is done."""
        _mark()  # type: ignore[misc]


def iterations(iterable):
    # type: (Iterable[_Item]) -> Iterator[_Item]
    """Iterates over `iterable`; each round of the loop's body is one iteration.

    The mark is set when the body has come to its end (or to `continue`), before the next item is
    asked for; a round that `break`, `return` or an exception leaves counts too.
    """
    if _mark is None:
        return iter(iterable)
    return _marked_rounds(iterable)


def _marked_rounds(iterable):
    # type: (Iterable[_Item]) -> Generator[_Item, None, None]
    for item in iterable:
        try:
            yield item
        finally:
            iteration()


def iteration_of(function):
    # type: (_Function) -> _Function
    """Decorator: each call of the function is one iteration, marked when it ends.

    However it ends: by returning, or by an exception. A coroutine's call ends when it has been
    awaited, a generator's when it is exhausted or closed; one that was never begun marks nothing.
    """
    if _mark is None:
        return function
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(iteration_of(function.__func__))  # type: ignore[return-value]
    import functools

    return functools.wraps(function)(_wrapper_of(function))  # type: ignore


def _wrapper_of(function):
    # type: (Any) -> Callable[..., Any]
    """A function of the same sort, so that whoever asks (asyncio, inspect, a web framework) is
    told the same of it."""
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & _CO_COROUTINE:
        return _coroutine_wrapper(function)
    if flags & _CO_ASYNC_GENERATOR:
        return _async_generator_wrapper(function)
    if flags & _CO_GENERATOR:
        return _generator_wrapper(function)

    def call(*args, **kwargs):
        # type: (*Any, **Any) -> Any
        try:
            return function(*args, **kwargs)
        finally:
            iteration()

    return call


def _coroutine_wrapper(function):
    # type: (Any) -> Callable[..., Any]
    async def call(*args, **kwargs):
        # type: (*Any, **Any) -> Any
        try:
            return await function(*args, **kwargs)
        finally:
            iteration()

    return call


def _generator_wrapper(function):
    # type: (Any) -> Callable[..., Any]
    def call(*args, **kwargs):
        # type: (*Any, **Any) -> Generator[Any, Any, Any]
        try:
            return (yield from function(*args, **kwargs))
        finally:
            iteration()

    return call


def _async_generator_wrapper(function):
    # type: (Any) -> Callable[..., Any]
    async def call(*args, **kwargs):
        # type: (*Any, **Any) -> AsyncGenerator[Any, Any]
        inner = function(*args, **kwargs)
        try:
            item = await inner.__anext__()
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:
                    item = await inner.athrow(error)
                else:
                    item = await inner.asend(sent)
        except StopAsyncIteration:
            pass
        finally:
            iteration()

    return call
