# SPDX-License-Identifier: MIT
"""The child of pytest_kprof: repeats one test under kprof and writes down how that went.

It is pytest itself, with the arguments of the run that started it, so that configuration,
conftest files and plugins are the same; but it collects only the one test, reports to nobody, and
runs the test's whole protocol (set-up, body, teardown) again and again, with a mark behind each.
What pytest itself would pile up from repeat to repeat is taken away here: it is not the test's.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import warnings
from typing import Any, Callable, Generator

import pytest
from _pytest.runner import runtestprotocol

import kprof

# Options of the run that are not for a single test in a child: files that the parent writes, other
# processes, a debugger, what chooses and orders tests.
_RESET = {
    "kprof": False, "kprof_all": False, "xmlpath": None, "htmlpath": None, "report_log": None,
    "log_file": None, "numprocesses": None, "dist": "no", "tx": [], "looponfail": False,
    "usepdb": False, "trace": False, "lf": False, "failedfirst": False, "newfirst": False,
    "stepwise": False, "maxfail": 0, "durations": None, "collectonly": False, "setupshow": False,
}  # fmt: skip


class Repeats:
    """A plugin object; `result` is what the parent gets to read."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.raised = False
        self.result: dict[str, Any] = {"repeats": 0, "raised": False, "reports": [], "error": ""}
        self.progress = os.open(job["progress"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> None:
        for name, value in _RESET.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        config.option.basetemp = self.job["basetemp"]
        config.args = ["::".join(self.job["test"])]

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        # The reporter stays, since comparisons in assertions ask it for colours, but says nothing.
        config.get_terminal_writer()._file = open(os.devnull, "w", encoding="utf-8")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> Generator[None, Any, None]:
        wanted = [item for item in items if name_test(item) == self.job["test"]][:1]
        yield  # whoever picks, splits or orders tests has done so already, in the parent
        items[:] = wanted
        if not wanted and not self.result["error"]:
            self.result["error"] = "pytest does not find this test again; has it another name in each run?"

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.result["error"] = report.longreprtext

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.result["error"] = str(excrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> None:
        self.raised = self.raised or call.excinfo is not None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> bool:
        reports = self.repeat(item)
        hook = item.config.hook
        self.result["reports"] = [
            hook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]
        return True

    def repeat(self, item: Any) -> list[Any]:
        """Until something is raised, or to the end. Returns the reports of the first repeat or of
        the one that raised."""
        forget = _forgetter(item)
        first: list[Any] = []
        for number in range(1, self.job["repeats"] + 1):
            # What stays set up is what the next repeat needs: everything but the test itself.
            reports = runtestprotocol(item, log=False, nextitem=item.parent)
            if self.raised:
                self.result["raised"] = True
                return reports
            first = first or reports
            del reports
            forget()
            if number > self.job["warm_up"]:
                kprof.iteration()
            self.result["repeats"] = number
            os.pwrite(self.progress, b"%d" % number, 0)
        # Behind the last mark: it belongs to no repeat.
        end = take_down(item, None)
        return [*first[:-1], end] if end.failed else first


def name_test(item: Any) -> list[str]:
    """What names a test on any command line: its file and the names inside. (A node id may depend on
    the other arguments.)"""
    return [str(item.path), item.nodeid.partition("::")[2]]


def take_down(item: Any, nextitem: Any) -> Any:
    """The report on taking down what stands around the test and is of no use to the next."""
    setup_state = item.session._setupstate
    call = pytest.CallInfo.from_call(lambda: setup_state.teardown_exact(nextitem), when="teardown")
    return item.ihook.pytest_runtest_makereport(item=item, call=call)


def _forgetter(item: Any) -> Callable[[], None]:
    """A function that takes away what pytest keeps of a repeat, and collects what is garbage (that
    is rarely due by itself in a short test). All that was there before is frozen, so that the
    collector looks only at what is new."""
    reporter = item.config.pluginmanager.getplugin("terminalreporter")
    warned = getattr(getattr(warnings, "_showwarnmsg_impl", None), "__self__", None)
    lists = [item.user_properties, getattr(item, "_report_sections", []), reporter.stats.setdefault("warnings", [])]
    lists += [warned] if isinstance(warned, list) else []  # inside catch_warnings(record=True)
    # A fixture of a wider scope gets a finalizer from each fixture of a test that asks for it, and
    # keeps them to its end; those of repeats that are over have nothing to do any more.
    info = getattr(item, "_fixtureinfo", None)
    for definitions in getattr(info, "name2fixturedefs", {}).values():
        for definition in definitions:
            finalizers = getattr(definition, "_finalizers", None)
            if getattr(definition, "scope", "") != "function" and isinstance(finalizers, list):
                lists.append(finalizers)
    lengths: list[int] = []

    def forget() -> None:
        if not lengths:
            lengths.extend(len(kept) for kept in lists)
            gc.collect()
            gc.freeze()
            return
        for kept, length in zip(lists, lengths):
            del kept[length:]
        if gc.isenabled():
            gc.collect()

    return forget


def main(job: dict[str, Any]) -> int:
    sys.argv[:] = job["argv"]
    repeats = Repeats(job)
    status = 1
    try:
        status = int(pytest.main(job["arguments"], plugins=[repeats]))
        if status == pytest.ExitCode.USAGE_ERROR and not repeats.result["error"]:
            repeats.result["error"] = "pytest does not take its arguments a second time"
    except BaseException as error:  # written down, and raised again
        repeats.result["error"] = "%s: %s" % (type(error).__name__, error)
        raise
    finally:
        with open(job["result"], "w", encoding="utf-8") as file:
            json.dump(repeats.result, file, default=str)
    return status
