# SPDX-License-Identifier: MIT
"""What the parts of the benchmark share: where things are, an environment with kprof in it, and how two runs are compared.

A machine that others use, too, is faster and slower from second to second: the same program differs by several per
cent. So what is compared runs at the same time on the same processor, in turns of some milliseconds: both meet the same
machine. Ratios of such pairs differ by a few tenths of a per cent."""
import os
import random
import statistics
import subprocess
import threading
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


def clean(database="bench.db", keep=False):
    """Waits for the collector and removes what a run has left, or keeps it."""
    deadline = time.time() + 120
    while os.path.exists(database + "-spool") and time.time() < deadline:
        time.sleep(0.02)
    for name in ("", "-spool", "-wal", "-shm"):
        if not keep and os.path.exists(database + name):
            os.unlink(database + name)


def output(command, env):
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout


def on_one_processor(command, env):
    """What to give to Popen. Only the command itself is preloaded, not what puts it on the processor."""
    env = dict(env)
    before = [os.path.join(BENCH, "one_processor"), str(max(os.sched_getaffinity(0))), env.pop("LD_PRELOAD", "-")]
    return {"args": [*before, *command], "env": env}


def cpu_of(command, env):
    """CPU seconds of the command and the children it waited for; not of the collector. On one processor, see above."""
    process = subprocess.Popen(**on_one_processor(command, env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def beside(plain, other):
    """What other() returns, and all that plain() returned meanwhile: it is called again until other() has ended. The last
    one has run alone for a part and counts only if there is no other."""
    over, done = threading.Event(), []

    def repeat():
        while not over.is_set():
            result = plain()
            if not over.is_set() or not done:
                done.append(result)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        result = other()
    finally:
        over.set()
        thread.join()
    return result, done


def interval(ratios):
    """Median of the ratios, and its 95 % interval by bootstrap."""
    draws = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
    return statistics.median(ratios), draws[50], draws[-51]


def cpu_ratio(command, env, plain_command=None, rounds=8, after=clean):
    """The CPU time of the command in this environment by that of the plain command, and the plain one in seconds."""
    ratios, plain = [], []
    for _ in range(rounds):
        cpu, base = beside(lambda: cpu_of(plain_command or command, environment()), lambda: cpu_of(command, env))
        after()
        plain += base
        ratios.append(cpu / statistics.mean(base))
    return interval(ratios), statistics.median(plain)
