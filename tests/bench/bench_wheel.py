# SPDX-License-Identifier: MIT
"""A stripped PyO3 wheel from PyPI under kprof at KPROF_RATE=1 and under memray with its whole view: what each has seen
of the same program, and which share of it has a name in every frame of the extension."""
import json
import os
import subprocess
import sys

from bench_run import LIBRARY, REPORT, clean, environment

REAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python_real")
MIB = 1 << 20


def kprof(python, wheel):
    sys.path.insert(0, REAL)
    from recorded_stacks import Recorded, named_share
    database = os.path.abspath("bench.db")
    subprocess.run([python, os.path.join(REAL, "use_wheel.py"), wheel], check=True,
                   env=environment([LIBRARY], KPROF_DB=database, KPROF_RATE="1", KPROF_SPOOL_MAX="1G"))
    subprocess.run([REPORT, database], env=environment(), stdout=subprocess.DEVNULL, check=True)
    sites = list(Recorded(database).sites())
    below, named = named_share(sites, f"/{wheel}/")
    size = os.path.getsize(database)
    clean()
    return (f"{sum(s.bytes for s in sites) / MIB:8.1f} MiB in {sum(s.count for s in sites):9,.0f} blocks, file {size / MIB:6.1f} MiB; "
            f"below the extension {below / MIB:.1f} MiB, {named / max(below, 1):.2%} of it named in every frame")


def memray(python, wheel):
    subprocess.run([python, "-m", "memray", "run", "--quiet", "--force", "--native", "--trace-python-allocators", "--output", "memray.bin",
                    os.path.join(REAL, "use_wheel.py"), wheel], env=environment(), check=True, stderr=subprocess.DEVNULL)
    subprocess.run([python, "-m", "memray", "stats", "--json", "--force", "--output", "memray.json", "memray.bin"],
                   env=environment(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open("memray.json", encoding="utf-8") as file:
        stats = json.load(file)
    return (f"{stats['total_bytes_allocated'] / MIB:8.1f} MiB in {stats['total_num_allocations']:9,} blocks, "
            f"file {os.path.getsize('memray.bin') / MIB:6.1f} MiB")


def run():
    python = os.environ.get("KPROF_BENCH_VENV", "") + "/bin/python"
    if not os.path.exists(python):
        print("wheels: memray and the wheels cannot be installed here")
        return
    for wheel in ("pydantic_core", "orjson"):
        print(f"{wheel}, a stripped wheel")
        print(f"  kprof, KPROF_RATE=1                        {kprof(python, wheel)}")
        print(f"  memray --native --trace-python-allocators  {memray(python, wheel)}", flush=True)
