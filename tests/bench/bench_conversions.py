# SPDX-License-Identifier: MIT
"""What conversions cost under kprof, by plain: with KPROF_CONVERSIONS=0, with conversions counted, and these without any sample taken
(KPROF_RATE=1G); and what counting adds to kprof without. Each pair runs at the same time on one processor. An extension in C and pythonize
and depythonize of the PyO3 example (a stripped wheel, if it is built) do nothing else; then records come with ever more work between them, and
services read or make what is converted. KPROF_BENCH_RUNS: pairs of each (5); KPROF_BENCH_WORK=NAME[,...] picks rows."""
import itertools
import os
import statistics
import subprocess

from bench_run import BUILD, LIBRARY, beside, clean, environment, interval, on_one_processor, output

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "examples", "pyo3-engine")
WHEEL = os.path.join(BUILD, "examples", "pyo3-engine", "wheel")
# The middle of slices of CPU time: each is long enough to have its share of what comes rarely, and some are disturbed by others.
MEASURE = """
import json, statistics, sys, time
sys.path[:0] = sys.argv[1:4]
import dense
def a_slice(batch):
    began, spent, batches = time.thread_time(), 0, 0
    while spent < 0.005:
        batch()
        batches += 1
        spent = time.thread_time() - began
    return spent / batches
def measure(batch, calls):
    slices = [a_slice(batch) for _ in range(100)]
    print(statistics.median(slices[30:]) / calls * 1e9)
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
PAIRS = ("off", "plain"), ("on", "plain"), ("unsampled", "plain"), ("on", "off")
numbers = itertools.count()


def ns_of(program, way, databases):
    """ns of CPU time of a call of the API."""
    preload, more = WAYS[way]
    databases.append(os.path.abspath(f"bench{next(numbers)}.db"))
    one = on_one_processor([os.environ["KPROF_BENCH_PYTHON"], "-c", program, os.getcwd(), WHEEL, EXAMPLE],
                           environment(preload, KPROF_DB=databases[-1], **more))
    return float(subprocess.run(**one, check=True, stdout=subprocess.PIPE, text=True).stdout)


def compare(program, way, base, rounds):
    """The ratio with its interval, and the ns of the base."""
    ratios, bases, databases = [], [], []
    for _ in range(rounds):
        one, others = beside(lambda: ns_of(program, base, databases), lambda: ns_of(program, way, databases))
        ratios.append(one / statistics.mean(others))
        bases += others
        while databases:
            clean(databases.pop())
    return interval(ratios), statistics.median(bases)


def show(what, program, rounds):
    figures = {pair: compare(program, *pair, rounds) for pair in PAIRS}
    plain, (counting, off) = figures["on", "plain"][1], figures["on", "off"]
    ratios = "".join(f"{middle:8.3f} {f'({low:.3f}-{high:.3f})':13}" for (middle, low, high), _ in figures.values())
    print(f"  {what:40}{1e3 / plain:5.0f}{plain:8.2f}  {ratios}{(counting[0] - 1) * off:+6.2f}", flush=True)


def run():
    include = output([os.environ["KPROF_BENCH_PYTHON"], "-c", "import sysconfig; print(sysconfig.get_path('include'))"], environment()).strip()
    built = subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-fno-plt", "-I", include, "-o", "dense.so", os.path.join(HERE, "dense.c")],
                           check=False)
    if built.returncode:
        print("conversions: the extension cannot be built here")
        return
    chosen = os.environ.get("KPROF_BENCH_WORK") or ",".join(ROWS)
    print("conversions: millions of calls a second, ns a call; ratios to plain of kprof without conversions, with them, and without samples; with by\n"
          "without, and the ns that is (medians and 95 % intervals of runs at the same time on one processor)")
    for name in chosen.split(","):
        what, program = ROWS[name]
        if program.startswith(ENGINE) and not os.path.exists(os.path.join(WHEEL, "pyo3_engine.so")):
            print(f"  {what}: left out, the example could not be built (cargo)")
            continue
        show(what, program, int(os.environ.get("KPROF_BENCH_RUNS", "5")))
