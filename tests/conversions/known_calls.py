# SPDX-License-Identifier: MIT
"""Converts the record whose calls are known by number: known_calls.py TIMES [THREADS]; each thread does all TIMES."""
import sys
import threading

import pyo3_engine

engine = pyo3_engine.Engine(1000)
times = int(sys.argv[1])
threads = [threading.Thread(target=engine.send_known, args=(times,)) for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 0)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if not threads:
    engine.send_known(times)
