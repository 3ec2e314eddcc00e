# SPDX-License-Identifier: MIT
"""What counting conversions costs, plain, under kprof with KPROF_CONVERSIONS=0, and with conversions counted; in turn, the best of some
rounds: an extension in C and pythonize and depythonize of the PyO3 example (a stripped wheel, if it is built), which do nothing else; then
with ever more work between conversions, and services that read or make what is converted."""
import json
import os
import subprocess
import sysconfig

from bench_run import BUILD, LIBRARY, clean, environment

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "examples", "pyo3-engine")
WHEEL = os.path.join(BUILD, "examples", "pyo3-engine", "wheel")
ROUNDS = 5
DENSITIES = 10, 20, 30, 50, 70, 100
DENSE = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import dense
def nothing(n, function=dense.nothing):
    began = time.thread_time()
    for _ in range(n):
        function(None)
    return (time.thread_time() - began) / n * 1e9
print(json.dumps([min(dense.cheap(20000) for _ in range(100)), min(dense.records(2000, 0) for _ in range(200)),
                  min(nothing(20000) for _ in range(50))]))
"""
# Steps of work between records: one figure for each argument.
WORK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import dense
print(json.dumps([min(dense.records(1000, int(steps)) for _ in range(100)) for steps in sys.argv[2:]]))
"""
TIMED = """
import json, sys, time
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import app, pyo3_engine
engine = pyo3_engine.Engine(1000)
chunks = list(app.chunks(100))
def best(function, calls, rounds):
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        function()
        times.append((time.thread_time() - began) / calls * 1e9)
    return min(times)
"""
# Calls of the API: 35 for a known record, 2,801 to send a hundred chunks, 4,101 to read them, 41 to read one.
ENGINE = TIMED + """
print(json.dumps([best(lambda: engine.send_known(1000), 35000, 200), best(engine.send_chunks, 2801, 1000),
                  best(lambda: engine.receive_chunks(chunks), 4101, 1000)]))
"""
# Python reads each chunk that it is sent; makes each chunk that it hands over; does both, and serde parses the answer's JSON.
SERVICE = TIMED + """
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
print(json.dumps([best(read_answer, 2801, 400), best(hand_over, 4100, 400), best(serve, 2801 + 4400, 100)]))
"""
WAYS = {"plain": ([], {}), "off": ([LIBRARY], {"KPROF_CONVERSIONS": "0"}), "on": ([LIBRARY], {})}


def once(command, preload, **more):
    out = subprocess.run(command, env=environment(preload, **more), check=True, stdout=subprocess.PIPE)
    clean()
    return json.loads(out.stdout)


def compare(names, command, rounds=ROUNDS):
    best = {}
    for _ in range(rounds):
        for way, (preload, more) in WAYS.items():
            best[way] = [min(pair) for pair in zip(once(command, preload, **more), best.get(way, [1e9] * len(names)))]
    for i, what in enumerate(names):
        plain, off, on = (best[way][i] for way in ("plain", "off", "on"))
        print(f"  {what:44} {1e3 / plain:4.0f} M/s {plain:7.2f} {off:7.2f} {on:7.2f}   {on - off:+5.2f}   {off / plain:.3f} {on / plain:.3f} of plain",
              flush=True)


def steps_for(python):
    """How much work makes records come at each density: from the time of none, and of a thousand steps."""
    none, thousand = once([python, "-c", WORK, os.getcwd(), "0", "1000"], [])
    return [str(max(0, round((1e3 / density - none) / (thousand - none) * 1000))) for density in DENSITIES]


def run():
    python = os.environ.get("KPROF_BENCH_PYTHON") or "python3"
    built = subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-fno-plt", "-I", sysconfig.get_path("include"), "-o", "dense.so",
                            os.path.join(HERE, "dense.c")], check=False)
    if built.returncode:
        print("conversions: the extension cannot be built here")
        return
    has_engine = os.path.exists(os.path.join(WHEEL, "pyo3_engine.so"))
    print("conversions, nothing else (calls a second; ns a call: plain, kprof without conversions, with them; added by counting)")
    compare(("calls that allocate nothing", "records of strings and numbers", "an empty function, wrapped"), [python, "-c", DENSE, os.getcwd()])
    if has_engine:
        compare(("pythonize, records", "pythonize, chunks of a response", "depythonize, the same"), [python, "-c", ENGINE, WHEEL, EXAMPLE])
    print("conversions among other work")
    compare([f"records, with work between: {density} M/s wanted" for density in DENSITIES],
            [python, "-c", WORK, os.getcwd(), *steps_for(python)], 2 * ROUNDS)
    if has_engine:
        compare(("chunks sent, and read in Python", "chunks made in Python, and handed over", "both, with a change and JSON between"),
                [python, "-c", SERVICE, WHEEL, EXAMPLE], 2 * ROUNDS)
