#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker pool with uneven jobs: WORKERS processes (or threads, POOL=threads) hash and compress
documents of very different sizes, one job each. Each job says its name and whether it succeeded;
the workers hold a dictionary each, as a model would be held.

    kprof-ab --sweep WORKERS=1,2,4 -- python3 examples/bulk/bulk.py

shows how far more workers help: the largest document takes a third of all the work, so that the
speed-up stays below three whatever the pool has, and every worker brings its own memory.
"""
import concurrent.futures
import hashlib
import os
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../python"))
import kprof  # noqa: E402

SCALE = float(os.environ.get("SCALE", "1"))
# Kilobytes of each document.
DOCUMENTS = {"notes": 40, "minutes": 140, "minutes-2": 140, "slides": 310, "report": 500, "archive": 900}
model = {}


def load_model():
    if not model:
        model.update((i, str(i)) for i in range(60000))


def work(name, kilobytes):
    load_model()
    with kprof.job(name):
        seed, parts = name.encode(), []
        for i in range(int(kilobytes * SCALE * 128)):
            seed = hashlib.sha256(seed + model[i % len(model)].encode()).digest()
            parts.append(seed * 2)
        return len(zlib.compress(b"".join(parts), 6))


def main():
    workers = int(os.environ.get("WORKERS", "1"))
    threads = os.environ.get("POOL", "processes") == "threads"
    pools = concurrent.futures.ThreadPoolExecutor if threads else concurrent.futures.ProcessPoolExecutor
    load_model()
    with pools(workers) as pool:
        # The longest first: whoever takes it last keeps everybody waiting.
        order = sorted(DOCUMENTS.items(), key=lambda item: -item[1])
        total = sum(pool.map(work, *zip(*order)))
    print(f"{len(DOCUMENTS)} documents, {total} bytes compressed")


if __name__ == "__main__":
    main()
