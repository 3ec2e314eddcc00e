# SPDX-License-Identifier: MIT
"""A small program on a PyO3 extension: converts a record N times, each an iteration. Prints what it has measured itself, in seconds:
imports, the first iteration, all others. usage: phased.py N"""
import time

began = time.perf_counter()
import decimal  # noqa: E402,F401
import json  # noqa: E402
import sys  # noqa: E402
import uuid  # noqa: E402,F401

import bridge  # noqa: E402
import kprof  # noqa: E402

imported = time.perf_counter()


def convert(number):
    record = bridge.to_python(number)
    record["payload"] = record["payload"].hex()
    text = json.dumps([record] * 20)
    return sum(bridge.from_python({**row, "payload": bytes.fromhex(row["payload"])}) for row in json.loads(text))


times = []
for number in kprof.iterations(range(int(sys.argv[1]))):
    convert(number)
    times.append(time.perf_counter())
print(imported - began, times[0] - imported, times[-1] - times[0])
