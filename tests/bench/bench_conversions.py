# SPDX-License-Identifier: MIT
"""What conversions cost under kprof, by plain: with KPROF_CONVERSIONS=0, with conversions counted, and these without any sample taken
(KPROF_RATE=1G). Each pair runs at the same time on one processor. What counting adds is measured within one process, which calls past the
hooks and through them by turns of a millisecond (turns.c). An extension in C and pythonize and depythonize of the PyO3 example (a stripped
wheel, if it is built) do nothing else; then services read or make what is converted, and records come with ever more work between them.
KPROF_BENCH_RUNS: runs of each (5); KPROF_BENCH_WORK=NAME[,...] picks rows."""
import itertools
import os
import statistics
import subprocess

from bench_run import BUILD, LIBRARY, beside, clean, environment, interval, on_one_processor, output

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "examples", "pyo3-engine")
WHEEL = os.path.join(BUILD, "examples", "pyo3-engine", "wheel")
SLICE = """
import json, statistics, sys, time
sys.path[:0] = sys.argv[1:4]
import dense
def a_slice(batch, clock, least):
    began, spent, batches = clock(), 0, 0
    while spent < least:
        batch()
        batches += 1
        spent = clock() - began
    return spent / batches
"""
# The middle of slices of CPU time: each is long enough to have its share of what comes rarely, and some are disturbed by others.
MEASURE = SLICE + """
def measure(batch, calls):
    slices = [a_slice(batch, time.thread_time, 0.005) for _ in range(100)]
    print(statistics.median(slices[30:]) / calls * 1e9)
"""
# Instead of it: the two ways by turns, which of them is first by turns, too.
TURNS = SLICE + """
import turns
def measure(batch, calls):
    taken = {True: [], False: []}
    turns.find("pyo3_engine.so" if "pyo3_engine" in sys.modules else "dense.so")
    for turn in range(800):
        for on in (turn % 2 == 0, turn % 2 == 1):
            turns.hooks(on)
            batch()
            taken[on].append(a_slice(batch, time.perf_counter, 0.001))
    turns.hooks(True)
    # The lower quarter: turns in which the system did something else are none.
    on, off = (sorted(taken[on])[200] / calls * 1e9 for on in (True, False))
    print(off, on)
"""
NOTHING = MEASURE + """
def nothing(function=dense.nothing):
    for _ in range(20000):
        function(None)
measure(nothing, 20000)
"""
# Python reads each chunk that it is sent; makes each chunk that it hands over; does both, and serde parses the answer's JSON.
ENGINE = MEASURE + """
import app, pyo3_engine
engine = pyo3_engine.Engine(1000)
chunks = list(app.chunks(100))
def read_answer():
    seen = {}
    for chunk in engine.send_chunks():
        delta = chunk["choices"][0]["delta"]
        if delta["role"] == "assistant" and chunk["created"]:
            seen[chunk["id"]] = len(delta["content"].split())
    return seen
def hand_over():
    for number in range(100):
        engine.receive_chunk(app.chunk(number))
def serve():
    for chunk in engine.send_chunks():
        chunk["created"] += 1
        engine.receive_chunk(chunk)
        engine.receive_json(json.dumps(chunk).encode())
"""
# Calls of the API: 14 for a record of C, 35 for a known one, 2,801 to send a hundred chunks, 4,101 to read them, 41 to read one.
ROWS = {
    "cheap": ("calls that allocate nothing", MEASURE + "measure(lambda: dense.cheap(20000), 80000)"),
    "nothing": ("an empty function, wrapped", NOTHING),
    "known": ("pythonize, records", ENGINE + "measure(lambda: engine.send_known(1000), 35000)"),
    "send": ("pythonize, chunks of a response", ENGINE + "measure(engine.send_chunks, 2801)"),
    "receive": ("depythonize, the same", ENGINE + "measure(lambda: engine.receive_chunks(chunks), 4101)"),
    "read_answer": ("chunks sent, and read in Python", ENGINE + "measure(read_answer, 2801)"),
    "hand_over": ("chunks made in Python, and handed over", ENGINE + "measure(hand_over, 4100)"),
    "serve": ("both, with a change and JSON between", ENGINE + "measure(serve, 2801 + 4400)"),
}
# By how many millions of calls a second: steps of work between two records, on the machine of docs/proofs.md.
STEPS = {107: 0, 79: 10, 55: 32, 32: 82, 22: 137, 11: 314}
for density, steps in STEPS.items():
    ROWS[f"records{density}"] = f"records, {steps} steps of work between", MEASURE + f"measure(lambda: dense.records(500, {steps}), 7000)"
WAYS = {"plain": ([], {}), "off": ([LIBRARY], {"KPROF_CONVERSIONS": "0"}), "on": ([LIBRARY], {}), "unsampled": ([LIBRARY], {"KPROF_RATE": "1G"})}
numbers = itertools.count()


def run_program(program, way):
    """What it prints, as numbers, and its database. On the processor that all share."""
    preload, more = WAYS[way]
    database = os.path.abspath(f"bench{next(numbers)}.db")
    one = on_one_processor([os.environ["KPROF_BENCH_PYTHON"], "-c", program, os.getcwd(), WHEEL, EXAMPLE],
                           environment(preload, KPROF_DB=database, **more))
    said = subprocess.run(**one, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [float(ns) for ns in said.split()], database


def by_plain(program, way, rounds):
    """The ratio with its interval, and the ns of plain calls."""
    ratios, plain = [], []
    for _ in range(rounds):
        ([one], database), others = beside(lambda: run_program(program, "plain"), lambda: run_program(program, way))
        clean(database)
        bases = [base for [base], _ in others]
        ratios.append(one / statistics.mean(bases))
        plain += bases
    return interval(ratios), statistics.median(plain)


def by_turns(program, rounds):
    """What counting adds: the ratio with its interval, and the ns."""
    taken = []
    for _ in range(rounds):
        pair, database = run_program(program.replace(MEASURE, TURNS), "on")
        clean(database)
        taken.append(pair)
    return interval([on / off for off, on in taken]), statistics.median(on - off for off, on in taken)


def text_of(figure):
    middle, low, high = figure
    return f"{middle:8.3f} {f'({low:.3f}-{high:.3f})':13}"


def show(what, program, rounds):
    figures = [by_plain(program, way, rounds) for way in ("off", "on", "unsampled")]
    counting, ns = by_turns(program, rounds)
    plain = figures[1][1]
    print(f"  {what:40}{1e3 / plain:5.0f}{plain:8.2f}  {''.join(text_of(figure) for figure, _ in figures)}   {text_of(counting)}{ns:+6.2f}", flush=True)


def build(python, name):
    """An extension in C beside us."""
    include = output([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], environment()).strip()
    return subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-fno-plt", "-I", include, "-o", name + ".so", os.path.join(HERE, name + ".c")],
                          check=False).returncode == 0


def run():
    python = os.environ["KPROF_BENCH_PYTHON"]
    if not build(python, "dense") or not build(python, "turns"):
        print("conversions: the extensions cannot be built here")
        return
    chosen = os.environ.get("KPROF_BENCH_WORK") or ",".join(ROWS)
    print("conversions: millions of calls a second, ns a call; ratios to plain of kprof without conversions, with them, and without samples\n"
          "(medians and 95 % intervals of runs at the same time on one processor); what counting adds, by turns in one process, and in ns")
    for name in chosen.split(","):
        what, program = ROWS[name]
        if program.startswith(ENGINE) and not os.path.exists(os.path.join(WHEEL, "pyo3_engine.so")):
            print(f"  {what}: left out, the example could not be built (cargo)")
            continue
        show(what, program, int(os.environ.get("KPROF_BENCH_RUNS", "5")))
