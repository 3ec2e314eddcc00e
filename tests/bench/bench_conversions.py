# SPDX-License-Identifier: MIT
"""What counting conversions costs, plain, under kprof with KPROF_CONVERSIONS=0, and with conversions counted; in turn, the best of some
rounds: an extension in C that does nothing else, and pythonize and depythonize of the PyO3 example (a stripped wheel), if it is built."""
import json
import os
import subprocess
import sysconfig

from bench_run import BUILD, LIBRARY, clean, environment

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
DENSE = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import dense
def nothing(n, function=dense.nothing):
    began = time.thread_time()
    for _ in range(n):
        function(None)
    return (time.thread_time() - began) / n * 1e9
print(json.dumps([min(dense.cheap(20000) for _ in range(100)), min(dense.record(2000) for _ in range(200)),
                  min(nothing(20000) for _ in range(50))]))
"""
# Calls of the API: 35 for a known record, 2,801 to send a hundred chunks, 4,101 to read them.
ENGINE = """
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
print(json.dumps([best(lambda: engine.send_known(1000), 35000, 200), best(engine.send_chunks, 2801, 1000),
                  best(lambda: engine.receive_chunks(chunks), 4101, 1000)]))
"""
WAYS = {"plain": ([], {}), "off": ([LIBRARY], {"KPROF_CONVERSIONS": "0"}), "on": ([LIBRARY], {})}


def once(command, preload, **more):
    out = subprocess.run(command, env=environment(preload, **more), check=True, stdout=subprocess.PIPE)
    clean()
    return json.loads(out.stdout)


def compare(names, command):
    best = {}
    for _ in range(ROUNDS):
        for way, (preload, more) in WAYS.items():
            best[way] = [min(pair) for pair in zip(once(command, preload, **more), best.get(way, [1e9] * len(names)))]
    for i, what in enumerate(names):
        plain, off, on = (best[way][i] for way in ("plain", "off", "on"))
        print(f"  {what:32} {plain:6.2f} {off:6.2f} {on:6.2f}   {on - off:+5.2f}   {on / off:.3f} of without, {on / plain:.3f} of plain", flush=True)


def run():
    python = os.environ.get("KPROF_BENCH_PYTHON") or "python3"
    built = subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-fno-plt", "-I", sysconfig.get_path("include"), "-o", "dense.so",
                            os.path.join(HERE, "dense.c")], check=False)
    if built.returncode:
        print("conversions: the extension cannot be built here")
        return
    print("conversions, nothing else (ns a call: plain, kprof without conversions, with them; added by counting)")
    compare(("calls that allocate nothing", "records of strings and numbers", "an empty function, wrapped"), [python, "-c", DENSE, os.getcwd()])
    wheel = os.path.join(BUILD, "examples", "pyo3-engine", "wheel")
    if os.path.exists(os.path.join(wheel, "pyo3_engine.so")):
        compare(("pythonize, records", "pythonize, chunks of a response", "depythonize, the same"),
                [python, "-c", ENGINE, wheel, os.path.join(HERE, "..", "..", "examples", "pyo3-engine")])
