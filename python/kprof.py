# SPDX-License-Identifier: MIT
"""Marks for the memory profiler kprof: what the program does over and over.

    import kprof

    kprof.iteration()                      # here one more iteration is done

    for request in kprof.iterations(requests):
        ...                                # each round is one

    @kprof.iteration_of                    # each call is one: functions, methods, coroutine
    def step(): ...                        # functions, generators and async generators

    with kprof.job(path):                  # one that has a name, and fails by an exception
        ...

    kprof.rate(512)                        # from here on one sample per so many bytes

Under kprof, the recording then knows how old memory is in iterations, and whether it grows with
them. Without kprof all of this does nothing: `iteration()` is an empty call, `iterations(x)`
iterates over x, and `iteration_of` returns the function as it is.

One file of pure Python without dependencies: put it on PYTHONPATH, or copy it into the program.
Iterations are counted per process, on all threads together, from 1. See kprof(3).
"""

import os

__all__ = ["iteration", "iterations", "iteration_of", "job", "rate"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncGenerator, Callable, Generator, Iterable, Iterator, Optional, Tuple, TypeVar

    _Item = TypeVar("_Item")
    _Function = TypeVar("_Function")

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200  # as in inspect


def _find_marks():
    # type: () -> Optional[Tuple[Callable[[], object], Any, Any, Any]]
    """The functions of the library that is in this process, None when there is none. (Only libkprof
    takes samples, and has a rate.)

    A variable is in the environment of every process that is recorded or timed, and of few that
    are not; only then is ctypes worth its import. PyDLL, because the calls take less time than
    letting other threads run meanwhile.
    """
    if os.environ.get("KPROF_SESSION", "-") == "-" and "KPROF_MARKS" not in os.environ:
        return None
    try:
        import ctypes

        library = ctypes.PyDLL(None)
        mark, begin, end = library.kprof_iteration, library.kprof_job_begin, library.kprof_job_end
        rate = getattr(library, "kprof_rate", None)
    except (ImportError, OSError, AttributeError):
        return None
    mark.argtypes, mark.restype = [], None
    begin.argtypes, begin.restype = [], ctypes.c_uint64
    end.argtypes, end.restype = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_int], None
    if rate:
        rate.argtypes, rate.restype = [ctypes.c_uint64], None
    return mark, begin, end, rate


_marks = _find_marks()
_mark = _marks and _marks[0]
_begin = _marks and _marks[1]

if _marks is None:

    def iteration(name=None, ok=True):
        # type: (Optional[str], bool) -> None
        """Marks that one more iteration is done. (kprof is not in this process: does nothing.)"""

    class job(object):
        """`with kprof.job(name):` is one iteration. (kprof is not in this process.)"""

        def __init__(self, name=""):
            # type: (str) -> None
            pass

        def __enter__(self):
            # type: () -> job
            return self

        def __exit__(self, kind, error, trace):
            # type: (Any, Any, Any) -> None
            pass

else:
    _end = _marks[2]

    def iteration(name=None, ok=True):
        # type: (Optional[str], bool) -> None
        """Marks that one more iteration is done: under which name, and whether it succeeded."""
        if name is None and ok:
            _mark()  # type: ignore[misc]
        else:
            _end(0, _bytes_of(name), ok)

    class job(object):  # type: ignore[no-redef]
        """`with kprof.job(name):` is one iteration. It has failed when an exception leaves it."""

        def __init__(self, name=""):
            # type: (str) -> None
            self._name = _bytes_of(name)
            self._begun = 0

        def __enter__(self):
            # type: () -> job
            self._begun = _begin()
            return self

        def __exit__(self, kind, error, trace):
            # type: (Any, Any, Any) -> None
            _end(self._begun, self._name, kind is None)


def rate(size):
    # type: (int) -> None
    """From here on one sample per `size` bytes, and 0: as KPROF_RATE=auto. In this thread at once, in
    others from their next sample on, in children from their beginning."""
    if _marks and _marks[3]:
        _marks[3](size)


def _bytes_of(name):
    # type: (Optional[str]) -> bytes
    return str(name or "").encode("utf-8", "replace")


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
        _begin()  # type: ignore[misc]
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
        _begin()
        try:
            return function(*args, **kwargs)
        finally:
            iteration()

    return call


def _coroutine_wrapper(function):
    # type: (Any) -> Callable[..., Any]
    async def call(*args, **kwargs):
        # type: (*Any, **Any) -> Any
        _begin()
        try:
            return await function(*args, **kwargs)
        finally:
            iteration()

    return call


def _generator_wrapper(function):
    # type: (Any) -> Callable[..., Any]
    def call(*args, **kwargs):
        # type: (*Any, **Any) -> Generator[Any, Any, Any]
        _begin()
        try:
            return (yield from function(*args, **kwargs))
        finally:
            iteration()

    return call


def _async_generator_wrapper(function):
    # type: (Any) -> Callable[..., Any]
    async def call(*args, **kwargs):
        # type: (*Any, **Any) -> AsyncGenerator[Any, Any]
        _begin()
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
