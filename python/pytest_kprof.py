# SPDX-License-Identifier: MIT
"""A pytest plugin: tests that fail when what they test leaks.

    @pytest.mark.kprof_leaks(below="100 B", iterations=200)
    def test_parse(): ...

    pytest --kprof

Each marked test is run again and again in a child of its own; it fails when memory grows by more
than `below` from repeat to repeat, and says, by kprof, where that memory was allocated. Without
--kprof a marked test is a test like any other. It needs kprof's programs, not its sources: see
docs/pytest.md. This file has the options, the marks and the reports to pytest.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from kprof_children import Children, Programs, Unusable
from kprof_leaktest import Check, Growth, Run, first_look_is_due, format_growth, format_size, parse_size
from kprof_repeats import can_be_copied, name_test, serve_as_copy, take_down

_MARK = "kprof_leaks"
_BELOW, _ITERATIONS, _LEAST_ITERATIONS = "100 B", 200, 50
_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--kprof", {"action": "store_true", "help": "repeat the tests marked %s under kprof; fail those that leak" % _MARK}),
    ("--kprof-all", {"action": "store_true", "help": "the same with every test, marked or not"}),
    ("--kprof-below", {"metavar": "SIZE", "default": _BELOW, "help": "growth per repeat that is allowed where the "
                       "mark does not say (%s)" % _BELOW}),
    ("--kprof-iterations", {"metavar": "N", "default": _ITERATIONS, "type": int, "help": "repeats where the mark "
                            "does not say (%d)" % _ITERATIONS}),
    ("--kprof-dir", {"metavar": "DIR", "help": "keep all recordings there (otherwise those of leaks, in pytest's "
                     "temporary folder)"}),
    ("--kprof-bin", {"metavar": "DIR", "help": "where kprof-run and kprof-report are (otherwise: beside the plugin, "
                     "or on PATH)"}),
)  # fmt: skip


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("kprof", "memory leaks (kprof)")
    for name, settings in _OPTIONS:
        group.addoption(name, **settings)


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", _MARK + '(below="100 B", iterations=200): with --kprof, repeat the test '
                            "and fail it when memory grows by more than `below` per repeat")
    if config.getoption("kprof") or config.getoption("kprof_all"):
        try:
            config.pluginmanager.register(Checker(config), "kprof-checker")
        except Unusable as error:
            raise pytest.UsageError("--kprof: %s" % error) from None


class Checker:
    """Takes the checked tests over from pytest. With pytest-xdist there is one in each worker, and
    one in the controller, which only sums up."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.programs = Programs(config.getoption("kprof_bin"))
        parse_size(config.getoption("kprof_below"))
        self.kept = self.folder_asked_for()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.children: Children | None = None
        # A worker is not told what pytest was called with, so the controller passes it on.
        passed_on = getattr(config, "workerinput", {}).get("kprof_arguments")
        self.arguments = passed_on or [os.fspath(word) for word in config.invocation_params.args]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["kprof_arguments"] = self.arguments

    def pytest_report_header(self) -> str:
        inside = os.environ.get("KPROF_SESSION", "-") != "-"
        return "kprof: %s%s" % (self.programs.run, " (pytest is being recorded itself; the checked tests "
                                "are recorded apart)" if inside else "")  # fmt: skip

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for item in items:
            self.check_of(item)  # a wrong mark is told before the first test

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> None:
        checked = any(self.check_of(item) for item in session.items)
        if checked and first_look_is_due(self.kept is not None) and can_be_copied(self.config):
            self.children = self.children_for(session)
            self.children.copy(partial(serve_as_copy, session))

    def pytest_unconfigure(self) -> None:
        if self.children:
            self.children.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> bool | None:
        check = self.check_of(item)
        if check is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.reports_of(item, nextitem, check) + _leave(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        found = dict(report.user_properties).get("kprof")
        if found:
            self.found.append((report.nodeid, found))

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.USAGE_ERROR or self.config.option.collectonly:
            return
        terminalreporter.section("kprof: growth per repeat")
        if not self.found:
            terminalreporter.line("no test was checked: mark tests with %s, or check all by --kprof-all" % _MARK)
        for nodeid, found in self.found:
            terminalreporter.line(_summary_line(nodeid, found["below"], found["growth"]))

    def check_of(self, item: Any) -> Check | None:
        mark = item.get_closest_marker(_MARK)
        if mark is None and not self.config.getoption("kprof_all"):
            return None
        values = {"below": self.config.getoption("kprof_below"), "iterations": self.config.getoption("kprof_iterations")}
        try:
            if mark and (mark.args or set(mark.kwargs) - set(values)):
                raise Unusable("it takes below= and iterations=")
            values.update(mark.kwargs if mark else {})
            if not isinstance(values["iterations"], int) or values["iterations"] < _LEAST_ITERATIONS:
                raise Unusable("iterations=%r: a whole number is needed, at least %d" % (
                    values["iterations"], _LEAST_ITERATIONS))  # fmt: skip
            return Check(parse_size(values["below"]), values["iterations"])
        except Unusable as error:
            raise pytest.UsageError("%s: %s: %s" % (item.nodeid, _MARK, error)) from None

    def reports_of(self, item: Any, nextitem: Any, check: Check) -> list[Any]:
        """Those of one repeat, set-up to teardown; one of them has the verdict on all repeats."""
        started = time.perf_counter()
        self.children = self.children or self.children_for(item.session)
        run = Run(self.children, item.nodeid, check, self.folder_of_recordings())
        growth, problem = None, ""
        try:
            growth = run.check(name_test(item), nextitem and name_test(nextitem), self.kept is not None)
        except (Unusable, pytest.fail.Exception) as error:  # or some plugin has set a time limit
            problem = str(error)
        reports = _received(item, run.result.get("reports", []))
        report = next((report for report in reports if report.when == "call"), reports[0])
        report.user_properties.append(("kprof", {"below": check.below, "growth": growth and growth._asdict()}))
        leaks = growth is not None and run.fails(growth)
        if problem:
            first, _, rest = problem.partition("\n")
            _fail(item, report, "kprof could not check this test: " + first, rest)
        elif growth is None and report.failed:
            report.sections.append(("kprof", "this is repeat %d; nothing can be said about leaks" % (
                run.result["repeats"] + 1)))  # fmt: skip
        elif growth and leaks:
            _fail_as_leak(item, report, run, growth)
        if not leaks and not self.kept:
            run.forget()
        report.duration = time.perf_counter() - started
        return reports

    def children_for(self, session: Any) -> Children:
        no_coverage = ["--no-cov"] if self.config.pluginmanager.hasplugin("pytest_cov") else []
        files = {str(item.path): None for item in session.items if self.check_of(item)}
        return Children(self.programs, self.arguments + no_coverage, self.config.invocation_params.dir, list(files))

    def folder_asked_for(self) -> Path | None:
        given = self.config.getoption("kprof_dir")
        if not given:
            return None
        folder = Path(self.config.invocation_params.dir, given)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise Unusable("cannot write recordings to %s: %s" % (folder, error.strerror)) from None
        return folder

    def folder_of_recordings(self) -> Path:
        folder: Path = self.kept or self.config._tmp_path_factory.getbasetemp() / "kprof"
        folder.mkdir(exist_ok=True)
        return folder


def _summary_line(nodeid: str, below: float, values: dict[str, Any] | None) -> str:
    if values is None:
        return "%-20s %-32s %s" % ("not checked", "", nodeid)
    growth = Growth(**values)
    line = "%-20s %-32s %s" % (growth.verdict, format_growth(growth), nodeid)
    bound = growth.smallest if growth.live is None or growth.live > below else growth.live
    if growth.is_leak or (bound is not None and bound <= below):
        return line
    shown = "nothing" if growth.smallest is None else "no less than " + format_size(growth.smallest)
    return "%s  (%d repeats show %s; more do)" % (line, growth.iterations, shown)


def _leave(item: Any, nextitem: Any) -> list[Any]:
    """This process has set nothing up for the test, but may have to take down what stands around it."""
    report = take_down(item, nextitem)
    return [report] if report else []


def _received(item: Any, serialized: list[Any]) -> list[Any]:
    """The child's reports as those of this process; when it made none, three that say nothing."""
    keywords = {word: 1 for word in item.keywords}
    if not serialized:
        return [pytest.TestReport(item.nodeid, item.location, keywords, "passed", None, when)  # type: ignore
                for when in ("setup", "call", "teardown")]  # fmt: skip
    deserialize = item.config.hook.pytest_report_from_serializable
    reports = [deserialize(config=item.config, data=data) for data in serialized]
    for report in reports:
        report.nodeid, report.location = item.nodeid, item.location
        if isinstance(report.longrepr, list):  # of a skip, and JSON has no tuples
            report.longrepr = tuple(report.longrepr)
    return reports


def _xfail_reason(item: Any, report: Any) -> str | None:
    """A test that is expected to fail may do so by leaking; None when it is not expected to."""
    if any("raises" in mark.kwargs for mark in item.iter_markers("xfail")):
        return None
    strict = "[XPASS(strict)] "
    if report.failed and str(report.longrepr).startswith(strict):
        return str(report.longrepr)[len(strict):]  # fmt: skip
    return getattr(report, "wasxfail", None)


def _fail_as_leak(item: Any, report: Any, run: Run, growth: Growth) -> None:
    headline = "leaks %s per repeat, at %s; allowed: %s" % (
        format_growth(growth), growth.where, format_size(run.asked.below))  # fmt: skip
    text = "%s\n\nrecording: %s" % (run.explanation(), run.recording)
    _fail(item, report, headline, text, expected=_xfail_reason(item, report))


def _fail(item: Any, report: Any, headline: str, text: str, expected: str | None = None) -> None:
    """The headline is also what stands in pytest's short summary."""
    lines = "%s\n\n%s\n" % (headline, text) if text else headline + "\n"
    traceback = ReprTraceback([ReprEntryNative([lines])], None, "native")
    place = ReprFileLocation(str(item.path), (item.location[1] or 0) + 1, headline)
    report.longrepr = ReprExceptionInfo(reprtraceback=traceback, reprcrash=place)
    report.outcome = "failed" if expected is None else "skipped"
    if expected is not None:
        report.wasxfail = expected
    elif hasattr(report, "wasxfail"):
        del report.wasxfail
