# SPDX-License-Identifier: MIT
"""The child of pytest_kprof: repeats tests and writes down how that went.

It is pytest itself: a copy of the run that started it, just before the first test, or where that cannot
be copied another pytest with its arguments, which collects only the tests that are checked. So
configuration, conftest files and plugins are the same; but it reports to nobody, and runs a test's
whole protocol (set-up, body, teardown) again and again. Without kprof it takes one test after the
other, as the parent names them; under kprof only one, with a mark behind each repeat. What pytest
itself would pile up from repeat to repeat is taken away here: it is not the test's.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import json
import mmap
import os
import signal
import sys
import warnings
from itertools import count
from pathlib import Path
from typing import Any, Callable, Generator

import pytest
from _pytest.runner import runtestprotocol

import kprof
from kprof_totals import Totals

# Options of the run that are not for tests in a child: files that the parent writes, other
# processes, a debugger, what chooses and orders tests.
_RESET: dict[str, Any] = {
    "kprof": False, "kprof_all": False, "xmlpath": None, "htmlpath": None, "report_log": None,
    "log_file": None, "numprocesses": None, "dist": "no", "tx": [], "looponfail": False,
    "usepdb": False, "trace": False, "lf": False, "failedfirst": False, "newfirst": False,
    "stepwise": False, "maxfail": 0, "durations": None, "collectonly": False, "setupshow": False,
}  # fmt: skip
COARSE_RATE = 1 << 20  # bytes between samples outside of the repeats
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_clear_caches: Callable[[], None] = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


class Marks:
    """Marks each repeat for kprof. What pytest does before and behind all repeats, most often more
    allocations than theirs, is recorded with few samples."""

    is_close = True

    def __init__(self, iterations: int, rate: int | None) -> None:
        self.left, self.rate = iterations, rate
        if rate:
            kprof.rate(rate)

    def note(self) -> bool:
        """Whether enough has been seen."""
        kprof.iteration()
        self.left -= 1
        if self.left == 0 and self.rate:
            kprof.rate(COARSE_RATE)
        return self.left == 0


class Repeats:
    """A plugin object; `result` is what the parent gets to read."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.items: dict[str, Any] = {}
        self.fixtures: list[Any] = []  # of a wider scope than one test, which have been set up
        self.uncollected = "pytest does not find this test again; has it another name in each run?"
        self.raised = False
        self.result: dict[str, Any] = {}
        self.begin()
        with open(job["progress"], "r+b") as file:
            self.progress = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")

    def begin(self) -> None:
        self.raised = False
        self.result = {"repeats": 0, "raised": False, "reports": [], "error": "", "growth": None}

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> None:
        for name, value in _RESET.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        config.option.basetemp = self.job["basetemp"]
        config.args = self.job["collect"]

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        _silence(config)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> Generator[None, Any, None]:
        self.take(items)
        yield  # whoever picks, splits or orders tests has done so already, in the parent

    def take(self, items: list[Any]) -> None:
        self.items = {name_test(item): item for item in reversed(items)}

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.uncollected = report.longreprtext

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.result["error"] = str(excrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> None:
        if fixturedef.scope != "function" and fixturedef not in self.fixtures:
            self.fixtures.append(fixturedef)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> None:
        self.raised = self.raised or call.excinfo is not None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool:
        if "request" in self.job:
            self.answer(self.job["request"])
            return True
        self.serve()
        return True

    def serve(self) -> None:
        with open(self.job["requests"], encoding="utf-8") as requests, open(self.job["replies"], "w", 1) as replies:
            os.register_at_fork(after_in_child=replies.close)  # or the parent waits for a test's children, too
            for line in requests:
                self.begin()
                with self.written_down():
                    self.answer(json.loads(line))
                replies.write("done\n")

    @contextlib.contextmanager
    def written_down(self) -> Generator[None, None, None]:
        """However it ends, the result is left for the parent."""
        try:
            yield
        except BaseException as error:
            self.result["error"] = "%s: %s" % (type(error).__name__, error)
            raise
        finally:
            with open(self.job["result"], "w", encoding="utf-8") as file:
                json.dump(self.result, file, default=str)

    def answer(self, request: dict[str, Any]) -> None:
        item = self.items.get(request["test"])
        if item is None:
            self.result["error"] = self.uncollected
            return
        reports = self.repeat(item, request)
        self.result["raised"] = self.raised
        # Behind the last repeat: it belongs to none.
        following = self.items.get(request["next"], item.session) if request["next"] else None
        end = take_down(item, following)
        reports = [*reports[:-1], end] if end else reports
        hook = item.config.hook
        self.result["reports"] = [
            hook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]  # fmt: skip

    def repeat(self, item: Any, request: dict[str, Any]) -> list[Any]:
        """Until something is raised, or enough has been seen. Returns the reports of the first repeat
        or of the one that raised."""
        iterations = request["iterations"]
        look: Marks | Totals
        look = Marks(iterations, request["rate"]) if "rate" in request else Totals(iterations, request["below"])
        tidy_up = _tidier(item, iterations // 20, self.fixtures)
        first: list[Any] = []
        for number in count(1):
            self.result["repeats"] = self.progress[0] = number - 1
            # What stays set up is what the next repeat needs: everything but the test itself.
            reports = runtestprotocol(item, log=False, nextitem=item.parent)
            if self.raised:
                return reports
            first = first or reports
            del reports
            tidy_up(number, look.is_close)
            if number > request["warm_up"] and look.note():
                break
        if isinstance(look, Totals):
            self.result["growth"] = look.growth
        return first


def name_test(item: Any) -> str:
    """What names a test on any command line: its file and the names inside. (A node id may depend on
    the other arguments.)"""
    return "%s::%s" % (item.path, item.nodeid.partition("::")[2])


def take_down(item: Any, nextitem: Any) -> Any:
    """Takes down what stands around the test and is of no use to the next; a report if that fails."""
    setup_state = item.session._setupstate
    call = pytest.CallInfo.from_call(lambda: setup_state.teardown_exact(nextitem), when="teardown")
    return item.ihook.pytest_runtest_makereport(item=item, call=call) if call.excinfo else None


def _tidier(item: Any, every: int, fixtures: list[Any]) -> Callable[[int, bool], None]:
    """A function that takes away what pytest keeps of a repeat, and now and then collects what is
    garbage (that is rarely due by itself in a short test). All that was there behind the first is frozen,
    so that the collector looks only at what is new. When somebody looks closely it also empties the
    interpreter's cache of attributes, which keeps names that were looked up, made up for the purpose or
    not, in up to 4,096 places; filling it again takes as long as a few short tests."""
    kept: list[tuple[list[Any], int]] = []

    def tidy_up(number: int, closely: bool) -> None:
        if number == 1:
            kept.extend((growing, len(growing)) for growing in _lists_of_pytest(item, fixtures))
            gc.collect()
            gc.freeze()
            return
        for growing, length in kept:
            del growing[length:]
        if number % every:
            return
        if closely:
            _clear_caches()
        if gc.isenabled():
            gc.collect()

    return tidy_up


def _lists_of_pytest(item: Any, fixtures: list[Any]) -> list[list[Any]]:
    """Those that each repeat of a test makes longer."""
    reporter = item.config.pluginmanager.getplugin("terminalreporter")
    warned = getattr(getattr(warnings, "_showwarnmsg_impl", None), "__self__", None)
    lists = [item.user_properties, getattr(item, "_report_sections", []), reporter.stats.setdefault("warnings", [])]
    lists += [warned] if isinstance(warned, list) else []  # inside catch_warnings(record=True)
    # A fixture of a wider scope gets a finalizer from each fixture of a test that asks for it, and
    # keeps them to its end; so does what stands around the test, before pytest 8. Those of repeats that
    # are over have nothing to do any more.
    finalizers = [getattr(fixture, "_finalizers", None) for fixture in fixtures]
    finalizers += [entry[0] for entry in item.session._setupstate.stack.values()]
    return [*lists, *(growing for growing in finalizers if isinstance(growing, list))]


def _silence(config: Any) -> None:
    """The reporter stays, since comparisons in assertions ask it for colours, but says nothing."""
    config.get_terminal_writer()._file = open(os.devnull, "w", encoding="utf-8")


def can_be_copied(config: Any) -> bool:
    """Whether a copy of this process is as good as another pytest: only the thread that copies goes on
    there; who traces or records this process would do so there; and options cannot be reset any more."""
    monitoring = getattr(sys, "monitoring", None)
    tools = [monitoring.get_tool(number) for number in range(6)] if monitoring else []
    return (len(os.listdir("/proc/self/task")) == 1 and not any([sys.gettrace(), sys.getprofile(), *tools])
            and "libkprof.so" not in os.environ.get("LD_PRELOAD", "")
            and all(getattr(config.option, name, value) == value for name, value in _RESET.items()
                    if name not in ("kprof", "kprof_all")))  # fmt: skip


def serve_as_copy(session: Any, job: dict[str, Any], output: int) -> None:
    """In a copy of the pytest process that has just been made; does not return."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    config = session.config
    _silence(config)
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    for number, stream in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
        os.dup2(number, stream)
    capture.start_global_capturing()
    if faulthandler.is_enabled():
        faulthandler.enable(2)
    config._tmp_path_factory._given_basetemp, config._tmp_path_factory._basetemp = Path(job["basetemp"]), None
    repeats = Repeats(job)
    repeats.take(session.items)
    config.pluginmanager.register(repeats)
    os.write(job["replies"], b"ready\n")
    repeats.serve()
    os._exit(0)


def main(job: dict[str, Any]) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a test may hang when the parent is killed
    sys.argv[:] = job["argv"]
    repeats = Repeats(job)
    with repeats.written_down():
        status = int(pytest.main(job["arguments"], plugins=[repeats]))
        if status == pytest.ExitCode.USAGE_ERROR and not repeats.result["error"]:
            repeats.result["error"] = "pytest does not take its arguments a second time"
    return status
