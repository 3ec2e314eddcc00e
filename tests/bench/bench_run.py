# SPDX-License-Identifier: MIT
"""What the parts of the benchmark share: where things are, an environment with kprof in it, CPU time of a command."""
import os
import resource
import subprocess
import time

BUILD = os.environ["KPROF_TEST_BUILD"]
LIBRARY = os.path.join(BUILD, "libkprof.so")
REPORT = os.path.join(BUILD, "kprof-report")
BENCH = os.path.join(BUILD, "bench")


def environment(preload=(), **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("KPROF_") and k != "LD_PRELOAD"}
    preload = [p for p in preload if p]
    if preload:
        env["LD_PRELOAD"] = ":".join(preload)
    env.update({"KPROF_QUIET": "1", "KPROF_DB": "bench.db", **more})
    return env


def clean():
    """Waits for the collector and removes what a run has left."""
    deadline = time.time() + 120
    while os.path.exists("bench.db-spool") and time.time() < deadline:
        time.sleep(0.02)
    for name in ("bench.db", "bench.db-spool", "bench.db-wal", "bench.db-shm"):
        if os.path.exists(name):
            os.unlink(name)


def output(command, env):
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout


def cpu_of(command, env):
    """CPU seconds of the command and the children it waited for; not of the collector."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
