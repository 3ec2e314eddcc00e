# SPDX-License-Identifier: MIT
"""What kprof costs Python programs, beside memray and tracemalloc: CPU time and peak RSS of five workloads.

CPU is user and system time of the whole process with its start and end; "work" leaves start-up and the first
tenth out. Both are medians of ratios to the plain runs at the same time on the same processor, as is the increase of the peak RSS. The
collector, a process of its own, is shown beside. KPROF_BENCH_RUNS: rounds of kprof (10); its full view and the rivals run in every fifth.
KPROF_BENCH_WORK=NAME[,...] picks workloads."""
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

from bench_run import BUILD, LIBRARY, beside, clean, environment, interval, on_one_processor

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = {"JSON churn": "json_churn", "asyncio service": "web_service", "native churn": "native_churn",
             "PyO3 service": "engine_service", "PyO3 conversion, nothing else": "conversion"}
# Folders of extensions, below the build.
EXTENSIONS = {"engine_service": ("examples/pyo3-engine/wheel", "pyo3_engine.so"), "conversion": ("pyo3/wheel", "bridge.so")}
FULL_VIEW = "kprof, KPROF_RATE=1"
MIB = 1 << 20


def configurations():
    """Name: (arguments before the script, variables, preload, how many rounds are one of them)."""
    memray = ["-m", "memray", "run", "--quiet", "--force", "--output", "memray.bin"]
    return {
        "plain": ([], {}, None, 1),
        "kprof": ([], {}, LIBRARY, 1),
        FULL_VIEW: ([], {"KPROF_RATE": "1", "KPROF_SPOOL_MAX": "4G"}, LIBRARY, 5),
        "tracemalloc, 1 frame": (["-X", "tracemalloc"], {}, None, 5),
        "memray": (memray, {}, None, 5),
        "memray --native": ([*memray, "--native"], {}, None, 5),
        "memray --trace-python-allocators": ([*memray, "--trace-python-allocators"], {}, None, 5),
        "memray --native --trace-python-allocators": ([*memray, "--native", "--trace-python-allocators"], {}, None, 5),
    }


class Collector:
    """CPU seconds of the collector, read from /proc while it lives."""

    def __init__(self, wanted):
        self.pid, self.seconds = None, 0.0
        if wanted:
            time.sleep(0.3)
            self.find()

    def find(self):
        name = os.path.abspath("bench.db-spool").encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as command:
                    if name in command.read().split(b"\0"):
                        self.pid = pid
            except OSError:
                continue

    def follow(self):
        """Until it has ended."""
        try:
            while self.pid:
                with open(f"/proc/{self.pid}/stat", encoding="utf-8", errors="replace") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
                if fields[0] == "Z":
                    return
                self.seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                time.sleep(0.002)
        except OSError:
            return


def run_once(python, script, configuration):
    before, variables, preload, _ = configuration
    path = ":".join(os.path.join(BUILD, folder) for folder, _ in EXTENSIONS.values())
    env = environment([preload], KPROF_DB=os.path.abspath("bench.db"), PYTHONPATH=path, **variables)
    said_wrong = f"errors{threading.get_ident()}"
    with open(said_wrong, "w", encoding="utf-8") as errors:
        process = subprocess.Popen(**on_one_processor([python, *before, script], env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
    collector = Collector(preload)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        with open(said_wrong, encoding="utf-8") as errors:
            sys.exit(f"bench: {script} ended with {process.returncode} under {before or preload or 'nothing'}: {errors.read()[-300:]}")
    collector.follow()
    said = json.loads(said.splitlines()[-1])
    return {"cpu": usage.ru_utime + usage.ru_stime, "work": said["work_s"], "rss": said["peak"], "collector": collector.seconds,
            **recorded(preload, before)}


def recorded(preload, before):
    """Size of the database and what it has lost; removes it."""
    found = {"file": 0, "lost": 0}
    if preload:
        deadline = time.time() + 120
        while os.path.exists("bench.db-spool") and time.time() < deadline:
            time.sleep(0.02)
        with sqlite3.connect("bench.db") as db:
            found["lost"] = db.execute("SELECT sum(lost_samples + lost_frees + lost_definitions) FROM process").fetchone()[0]
        found["file"] = os.path.getsize("bench.db")
        clean()
    elif "memray.bin" in before:
        found["file"] = os.path.getsize("memray.bin")
        os.unlink("memray.bin")
    return found


def measure(python, script, wanted, rounds):
    """The runs of each configuration, each with the middle of the plain runs beside it."""
    runs = {name: [] for name in wanted if name != "plain"}
    for number in range(rounds):
        for name in runs:
            if number % wanted[name][3] == 0:
                one, plain = beside(lambda: run_once(python, script, wanted["plain"]),
                                    lambda what=wanted[name]: run_once(python, script, what))
                runs[name].append((one, {key: statistics.mean(run[key] for run in plain) for key in plain[0]}))
    return runs


def middle(pairs, figure):
    return statistics.median(figure(one, plain) for one, plain in pairs)


def verdict(name, workload, cpu, more, plain_rss):
    if name == "kprof":
        room = 8 * MIB + 0.02 * plain_rss
        return f"  goal 1.05: {'met' if cpu <= 1.05 else 'MISSED'}; {room / MIB:.1f} MiB: {'met' if more <= room else 'MISSED'}"
    if name == FULL_VIEW and workload == "JSON churn":
        return f"  goal 3.0: {'met' if cpu <= 3.0 else 'MISSED'}"
    return ""


def show(workload, runs):
    plain_rss = middle(runs["kprof"], lambda _, base: base["rss"])
    print(f"{workload}: plain {middle(runs['kprof'], lambda _, base: base['cpu']):.2f} s CPU, peak RSS {plain_rss / MIB:.1f} MiB")
    print(f"  {'':42}{'CPU':>7}{'95 % interval':>17}{'of work':>9}{'RSS':>12}{'file':>11}   collector")
    for name, pairs in runs.items():
        cpu, low, high = interval([one["cpu"] / base["cpu"] for one, base in pairs])
        work = middle(pairs, lambda one, base: one["work"] / base["work"])
        more = middle(pairs, lambda one, base: one["rss"] - base["rss"])
        beside = middle(pairs, lambda one, base: one["collector"] / base["cpu"])
        lost = max(one["lost"] for one, _ in pairs)
        print(f"  {name:42}{cpu:6.3f}x{f'({low:.3f}-{high:.3f})':>17}{work:8.3f}x{more / MIB:+8.1f} MiB{middle(pairs, lambda one, _: one['file']) / MIB:7.1f} MiB"
              f"   {f'{beside:.3f}x' if beside else '-':7}{verdict(name, workload, cpu, more, plain_rss)}"
              f"{f'  LOST {lost}' if lost else ''}", flush=True)
    print()


def run():
    python = os.environ.get("KPROF_BENCH_VENV", "") + "/bin/python"
    wanted = configurations()
    if not os.path.exists(python):
        python = os.environ["KPROF_BENCH_PYTHON"]
        print("memray cannot be installed here and is left out")
        wanted = {name: one for name, one in wanted.items() if not name.startswith("memray")}
    version = subprocess.run([python, "-VV"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    print(f"{version}: ratios to the plain program, medians of runs at the same time on one processor\n")
    chosen = os.environ.get("KPROF_BENCH_WORK", "").split(",")
    for workload, file in WORKLOADS.items():
        if chosen != [""] and file not in chosen:
            continue
        if file in EXTENSIONS and not os.path.exists(os.path.join(BUILD, *EXTENSIONS[file])):
            print(f"{workload}: left out, the extension could not be built (cargo)")
            continue
        script = os.path.join(HERE, "workloads", file + ".py")
        show(workload, measure(python, script, wanted, int(os.environ.get("KPROF_BENCH_RUNS", "10"))))
