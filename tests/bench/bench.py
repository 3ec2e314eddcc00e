#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What kprof costs, as ratios within one run: `make bench` (T=pairs|flat|programs|children|auto|ingest|snapshots|
python|wheel|conversions picks one).

Where a time is a property of the code (ns a call), configurations take turns and neighbours are compared. Where it
is one of a run (CPU time of a program), plain and kprof run at the same time on one processor."""
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import bench_conversions
import bench_python
import bench_wheel
from bench_run import BENCH, BUILD, LIBRARY, REPORT, beside, clean, cpu_ratio, environment, interval, on_one_processor, output

ALLOCATORS = {"glibc": None, "mimalloc": "libmimalloc.so.2", "jemalloc": "libjemalloc.so.2",
              "tcmalloc": "libtcmalloc_minimal.so.4"}


def have(library):
    return library is None or any(library in line for line in
                                  output(["ldconfig", "-p"], {**os.environ, "PATH": "/sbin:/usr/sbin:" + os.environ["PATH"]}).splitlines())


def pair_ns(threads, preload):
    ns = float(output([os.path.join(BENCH, "pair"), str(threads)], environment(preload)))
    clean()
    return ns


def pairs():
    """The three run one after another, a tenth of a second each, and neighbours are compared. Only those count whose bare
    run was within a tenth of the fastest: a processor that is shared with others has phases of half its speed."""
    print("ns per malloc(64) + free             bare   empty preload   kprof    kprof/bare  kprof-empty   turns of 31")
    empty = os.path.join(BENCH, "empty_preload.so")
    for name, library in ALLOCATORS.items():
        if not have(library):
            print(f"  {name}: not installed")
            continue
        for threads in (1, 2):
            runs = [[pair_ns(threads, [first, library]) for first in (None, empty, LIBRARY)] for _ in range(31)]
            runs = [run for run in runs if run[0] < 1.1 * min(bare for bare, _, _ in runs)]
            columns = [statistics.median(column) for column in zip(*runs)]
            ratio = statistics.median(kprof / bare for bare, _, kprof in runs)
            more = statistics.median(kprof - other for _, other, kprof in runs)
            print(f"  {name:10} {threads} thread{'s' if threads > 1 else ' '}           {columns[0]:7.2f} {columns[1]:12.2f} "
                  f"{columns[2]:10.2f} {ratio:11.3f} {more:11.2f} {len(runs):12}", flush=True)


def flat():
    samples, rate = 10_000_000, 512
    allocations = samples * rate // 48
    first, last = (float(x) for x in output([os.path.join(BENCH, "soak"), str(allocations)],
                                            environment([LIBRARY], KPROF_RATE=str(rate))).split())
    clean()
    print(f"ns per free() at first {first:.2f}, after {samples:,} samples {last:.2f}: ratio {last / first:.3f}")


def make_inputs():
    with open("import.csv", "w") as f:
        for i in range(600000):
            f.write(f"{i},{i * 0.37},name{i % 1000},{'x' * (i % 50)}\n")
    with open("import.sql", "w") as f:
        f.write("create table t(a integer primary key, b real, c text, d text);\n.mode csv\n.import import.csv t\n"
                "create index i on t(c, b);\nselect count(*), sum(b) from t group by c limit 1;\n")
    with open("script.cmake", "w") as f:
        f.write('set(l "")\nforeach(i RANGE 1 6000)\n  list(APPEND l "item${i}")\n'
                '  string(REPLACE "item" "x" y "${l}")\n  string(REGEX REPLACE "x([0-9]+)" "<\\\\1>" z "x${i};x${i}")\n'
                '  list(LENGTH l n)\n  set(v_${i} "${z}")\nendforeach()\n')
    git = {**os.environ, "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "e"}
    subprocess.run(["git", "init", "-q", "repository"], check=True, env=git)
    stream = []
    for commit in range(12000):
        text = "".join(f"line {n} of {commit if n % 40 == commit % 40 else 0}\n" for n in range(300))
        stream.append(f"commit refs/heads/main\ncommitter n <e> {commit + 1} +0000\ndata 4\ntext\nM 644 inline d{commit % 50}/f{commit % 300}\n"
                      f"data {len(text)}\n{text}\n")
    subprocess.run(["git", "-C", "repository", "fast-import", "--quiet"], input="".join(stream).encode(), check=True, env=git)


PROGRAMS = {
    "sqlite3 import": ["sqlite3", ":memory:", "-init", "import.sql", ".quit"],
    "cmake script": ["cmake", "-P", "script.cmake"],
    "git log -p": ["git", "-C", "repository", "--no-pager", "log", "-p", "--stat", "main"],
}


def programs():
    make_inputs()
    database = os.path.abspath("bench.db")
    print("CPU time of the program by the plain one at the same time: median of 8 (95 % interval)")
    for name, command in PROGRAMS.items():
        ways = {"default": (command, environment([LIBRARY], KPROF_DB=database)),
                "KPROF_RATE=1": (command, environment([LIBRARY], KPROF_RATE="1", KPROF_SPOOL_MAX="2G", KPROF_DB=database))}
        if shutil.which("heaptrack"):
            ways["heaptrack"] = (["heaptrack", "-r", "-o", "ht", *command], environment())
        for way, (line, env) in ways.items():
            (middle, low, high), plain = cpu_ratio(line, env, plain_command=command)
            print(f"  {name:18} {plain:6.2f} s   {way:14} {middle:6.3f} ({low:.3f} to {high:.3f})", flush=True)
    print("  heaptrack records raw (-r), its interpreter is left out, as is kprof's collector")


def children():
    loop = ["sh", "-c", "for i in $(seq 1000); do /bin/true; done"]
    plain, kprof = [], []
    for _ in range(5):
        for times, env in ((plain, environment()), (kprof, environment([LIBRARY]))):
            began = time.time()
            subprocess.run(loop, env=env, check=True)
            times.append(time.time() - began)
        clean()
    a, b = statistics.median(plain), statistics.median(kprof)
    print(f"1,000 children in a shell: plain {a:.2f} s, with kprof {b:.2f} s; 1.5 x plain + 1 ms a child would be {1.5 * a + 1:.2f} s")


def share_of(database):
    with sqlite3.connect(database) as db:
        row = db.execute("select sampling_s, cpu_s, late_sampling_s, late_cpu_s, rate_min, rate_max from process").fetchone()
        late = db.execute("select min(rate_min) from timeline where start_s > 1 and rate_min > 0").fetchone()[0] or row[4]
    return (row[0] - row[2]) / max(row[1] - row[3], 1e-9), late, row[5]


def flow_of(mb, ticks, database, **more):
    """CPU seconds of the flow after its first second."""
    flow = on_one_processor([os.path.join(BENCH, "flow"), str(mb), "2", ticks],
                            environment([LIBRARY], KPROF_DB=os.path.abspath(database), **more))
    return float(subprocess.run(**flow, stdout=subprocess.PIPE, check=True, text=True).stdout)


def another(databases):
    databases.append(f"off{len(databases)}.db")
    return databases[-1]


def auto():
    print("KPROF_RATE=auto, budget 1 %        share by the shim   by pairs of runs at the same time   smallest R after 1 s   largest R")
    for mb in (1, 20, 200, 1000, 5000):
        ticks = output([os.path.join(BENCH, "flow"), str(mb), "1"], environment()).strip()
        ratios, share, low, high, others = [], [], 0, 0, []
        for _ in range(10):
            on, off = beside(lambda: flow_of(mb, ticks, another(others), KPROF_RATE="1024G"), lambda: flow_of(mb, ticks, "bench.db"))
            clean(keep=True)
            one, low, high = share_of("bench.db")
            for database in ["bench.db", *others]:
                clean(database)
            share.append(one)
            ratios.append(on / statistics.mean(off))
        middle, least, most = interval(ratios)
        print(f"  {mb:5} MB/s {'':20} {statistics.median(share):10.2%} {middle - 1:15.2%} ({least - 1:.2%} to {most - 1:.2%}) {low:18,} B {high:12,} B", flush=True)


def ingest():
    tool, collector = os.path.join(BUILD, "tools", "make_spool"), os.path.join(BUILD, "kprof-collect")
    for what, freed in (("10 million live samples", "0"), ("10 million samples, 95 % freed", "95")):
        clean()
        subprocess.run([tool, os.path.abspath("bench.db-spool"), "10000000", "20000", "2", freed], check=True, stdout=subprocess.DEVNULL)
        began = time.time()
        subprocess.run([collector, "--spool", os.path.abspath("bench.db-spool")], env=environment(), check=True)
        took = time.time() - began
        began = time.time()
        output([REPORT, "bench.db"], environment())
        print(f"ingest of {what}: {10 / took:.2f} million a second ({took:.1f} s with symbols); summary {time.time() - began:.2f} s", flush=True)
    clean()


def snapshots():
    print("CPU time of a snapshot of 1 GB, in ms: median (largest) of how many, and the last one, at the end")
    for name, library in ALLOCATORS.items():
        if not have(library):
            print(f"  {name}: not installed")
            continue
        for shape, threads in (("full", 1), ("holes", 1), ("mixed", 1), ("mixed", 8)):
            subprocess.run([os.path.join(BENCH, "big_heap"), shape, str(threads), "6"], check=True,
                           env=environment([LIBRARY, library]))
            clean(keep=True)
            with sqlite3.connect("bench.db") as db:
                *costs, last = [1000 * cost for cost, in db.execute("select cost_s from snapshot order by number")]
            clean()
            print(f"  {name:10} {shape:6} {threads} threads   {statistics.median(costs):6.2f} ({max(costs):.2f}) of {len(costs)}   {last:8.2f}", flush=True)


def main():
    parts = {"pairs": pairs, "flat": flat, "programs": programs, "children": children, "auto": auto, "ingest": ingest, "snapshots": snapshots,
             "python": bench_python.run, "wheel": bench_wheel.run,
             "conversions": bench_conversions.run}
    wanted = sys.argv[1:] or list(parts)
    with tempfile.TemporaryDirectory() as here:
        os.chdir(here)
        for part in wanted:
            if not re.fullmatch("|".join(parts), part):
                sys.exit(f"bench: no part {part}; there are {', '.join(parts)}")
            parts[part]()
            print()


main()
