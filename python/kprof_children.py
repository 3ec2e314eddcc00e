# SPDX-License-Identifier: MIT
"""The processes that pytest_kprof starts: children that repeat tests (kprof_repeats.py), with and
without kprof, and kprof-report.

Runs in the pytest process, or in a worker of pytest-xdist; the only code here that starts processes
and touches files. Messages are one line each, lower case, with what to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable

TUNING = ("KPROF_RATE", "KPROF_BUDGET")  # of a user who knows better
_NOT_PASSED_ON = ("KPROF_", "COV_CORE_", "COVERAGE_PROCESS_")
_OUTPUT_LINES = 12  # from the beginning and from the end of what a child said that failed
_PATIENCE = 60  # seconds for a child that has nothing left to do
_START = "import sys, json; job = json.load(open(sys.argv[1])); sys.path[:] = job['path']; import kprof_repeats; sys.exit(kprof_repeats.main(job))"


class Unusable(Exception):
    """kprof cannot be used here at all, or a value cannot; the text says why."""


class Programs:
    """kprof-run and kprof-report: where the user says, beside the plugin (share/kprof and bin, in
    the sources python and build), or on PATH."""

    def __init__(self, given: str | None) -> None:
        if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
            raise Unusable("kprof records on Linux on x86-64 only; run the tests without --kprof here")
        self.run = self._find("kprof-run", given)
        self.report = self._find("kprof-report", given)

    @staticmethod
    def _find(name: str, given: str | None) -> str:
        here = Path(__file__).resolve().parent
        beside = os.pathsep.join([str(here.parent.parent / "bin"), str(here.parent / "build")])
        found = shutil.which(name, path=given or beside) or (None if given else shutil.which(name))
        if found:
            return os.path.abspath(found)
        raise Unusable("cannot find %s %s; install kprof, or say with --kprof-bin where it is" % (
            name, "in " + given if given else "beside the plugin or on PATH"))  # fmt: skip

    def ask(self, recording: Path, report: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.report, str(recording), report, *options], text=True, env=_environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)  # fmt: skip


class Children:
    """Takes a request at a time: which test, and how often. The answer is what the child has written
    down, or a line in its "error"."""

    def __init__(self, programs: Programs, arguments: list[str], directory: Path, collect: list[str]) -> None:
        self.programs, self.arguments, self.directory, self.collect = programs, arguments, directory, collect
        self.folder = Path(tempfile.mkdtemp(prefix="kprof-"))
        self.server: Server | None = None

    def copy(self, serve: Callable[[dict[str, Any], int], None]) -> None:
        """Makes the process that looks a copy of this one. Where `serve` cannot say that it is ready, another
        pytest will be started instead."""
        self._prepare()

        def start(job: dict[str, Any], theirs: list[int], ours: list[int]) -> Copy:
            with open(self.folder / "output", "ab") as output:
                return Copy(lambda: serve(job, output.fileno()), ours)

        server = Server(start, self._job([]))
        if server.replies.readline():
            self.server = server
        else:
            server.close()

    def look(self, request: dict[str, Any]) -> dict[str, Any]:
        """By a process that is there for all tests, without kprof."""
        self._prepare()
        server = self.server or Server(lambda job, theirs, ours: self._start(job, theirs), self._job(self.collect))
        self.server = None
        status = server.answer(request)
        if status is None:
            self.server = server
        return self._result(status or 0)

    def record(self, request: dict[str, Any], recording: Path, options: list[str]) -> dict[str, Any]:
        """By a process of its own, under kprof."""
        self._prepare()
        under = [self.programs.run, "--output", str(recording), "--follow", "none", "--quiet", *options, "--"]
        child = self._start({**self._job([request["test"]]), "request": request}, [], under)
        try:
            return self._result(child.wait())
        finally:  # Ctrl-C, or a time limit that some plugin has set
            child.kill()
            child.wait()

    def close(self) -> None:
        if self.server:
            self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self) -> str:
        said = (self.folder / "output").read_text(encoding="utf-8", errors="replace").strip()
        lines = said.splitlines()
        if len(lines) > 2 * _OUTPUT_LINES:
            lines[_OUTPUT_LINES:-_OUTPUT_LINES] = ["..."]
        return "\n" + "\n".join(lines) if said else ""

    def _prepare(self) -> None:
        for name, content in (("output", b""), ("progress", bytes(8))):
            with open(self.folder / name, "r+b" if (self.folder / name).exists() else "wb") as file:
                file.write(content)
                file.truncate()
        with contextlib.suppress(OSError):
            (self.folder / "result").unlink()

    def _job(self, collect: list[str]) -> dict[str, Any]:
        files = {name: str(self.folder / name) for name in ("result", "progress", "basetemp")}
        return {"arguments": self.arguments, "path": sys.path, "argv": sys.argv, "collect": collect, **files}

    def _start(self, job: dict[str, Any], pipes: list[int], under: list[str] = []) -> subprocess.Popen[bytes]:
        (self.folder / "job").write_text(json.dumps(job), encoding="utf-8")
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        command = [*under, sys.executable, *flags, "-c", _START, str(self.folder / "job")]
        with open(self.folder / "output", "ab") as output:
            return subprocess.Popen(command, cwd=self.directory, env=_environment(), stdin=subprocess.DEVNULL,
                                    stdout=output, stderr=subprocess.STDOUT, pass_fds=pipes)  # fmt: skip

    def _result(self, status: int) -> dict[str, Any]:
        try:
            result: dict[str, Any] = json.loads((self.folder / "result").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            done = int.from_bytes((self.folder / "progress").read_bytes(), sys.byteorder)
            end = "was killed by " + signal.Signals(-status).name if status < 0 else "ended with status %d" % status
            error = "the process that repeats the test %s in repeat %d%s" % (end, done + 1, self.output())
            refused = re.search("^kprof-run: .*", self.output(), re.MULTILINE)
            return {"repeats": done, "raised": False, "reports": [], "growth": None,
                    "error": refused[0] if refused else error}  # fmt: skip
        return result


class Copy:
    """A child that is a copy of this process, without some of its descriptors; the part of
    subprocess.Popen that is needed here."""

    def __init__(self, run: Callable[[], None], without: list[int]) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for descriptor in without:
                    os.close(descriptor)
                run()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)

    def wait(self, timeout: float = 0) -> None:
        until = time.monotonic() + timeout
        while self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG if timeout else 0)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                raise subprocess.TimeoutExpired("a copy of pytest", timeout)
            else:
                time.sleep(0.001)

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


class Server:
    """A child that takes one test after the other, until a test ends it or there is no other."""

    def __init__(self, start: Any, job: dict[str, Any]) -> None:
        their_requests, requests = os.pipe()
        replies, their_replies = os.pipe()
        theirs, ours = [their_requests, their_replies], [requests, replies]
        self.process = start({**job, "requests": their_requests, "replies": their_replies}, theirs, ours)
        for descriptor in theirs:
            os.close(descriptor)
        self.requests, self.replies = open(requests, "w", 1, encoding="utf-8"), open(replies, encoding="utf-8")

    def answer(self, request: dict[str, Any]) -> int | None:
        """None, or with which status it has ended."""
        try:
            with contextlib.suppress(BrokenPipeError):
                self.requests.write(json.dumps(request) + "\n")
            if self.replies.readline():
                return None
            self.close()
            return int(self.process.returncode)
        except BaseException:  # Ctrl-C, or a time limit that some plugin has set
            self._kill()
            raise

    def close(self) -> None:
        self._close_pipes()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._kill()

    def _kill(self) -> None:
        self._close_pipes()
        self.process.kill()
        self.process.wait()

    def _close_pipes(self) -> None:
        for pipe in (self.requests, self.replies):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _environment() -> dict[str, str]:
    """A child is recorded for itself, also inside another recording, and only for memory."""
    wanted = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON) or name in TUNING}
    wanted.pop("PYTEST_CURRENT_TEST", None)
    preloads = [path for path in re.split("[: ]+", wanted.pop("LD_PRELOAD", ""))
                if path and os.path.basename(path) != "libkprof.so"]  # fmt: skip
    if preloads:
        wanted["LD_PRELOAD"] = ":".join(preloads)
    return wanted
