# SPDX-License-Identifier: MIT
"""What counting conversions costs: an extension that does nothing else, plain, under kprof with KPROF_CONVERSIONS=0, and with
conversions counted; in turn, the best of some rounds."""
import json
import os
import subprocess
import sysconfig

from bench_run import LIBRARY, clean, environment

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
PROGRAM = """
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


def once(python, folder, preload, **more):
    out = subprocess.run([python, "-c", PROGRAM, folder], env=environment(preload, **more), check=True, stdout=subprocess.PIPE)
    clean()
    return json.loads(out.stdout)


def run():
    python = os.environ.get("KPROF_BENCH_PYTHON") or "python3"
    folder = os.getcwd()
    built = subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-fno-plt", "-I", sysconfig.get_path("include"), "-o", "dense.so",
                            os.path.join(HERE, "dense.c")], check=False)
    if built.returncode:
        print("conversions: the extension cannot be built here")
        return
    ways = {"plain": ([], {}), "off": ([LIBRARY], {"KPROF_CONVERSIONS": "0"}), "on": ([LIBRARY], {})}
    best = {}
    for _ in range(ROUNDS):
        for way, (preload, more) in ways.items():
            best[way] = [min(pair) for pair in zip(once(python, folder, preload, **more), best.get(way, [1e9] * 3))]
    print("conversions, nothing else (ns a call: plain, kprof without conversions, with them; added by counting)")
    for i, what in enumerate(("calls that allocate nothing", "records of strings and numbers", "an empty function, wrapped")):
        plain, off, on = (best[way][i] for way in ("plain", "off", "on"))
        print(f"  {what:32} {plain:6.2f} {off:6.2f} {on:6.2f}   {on - off:+5.2f}   {on / off:.3f} of without, {on / plain:.3f} of plain", flush=True)
