# SPDX-License-Identifier: MIT
"""Runs a workload's rounds and prints, as JSON, what they took: CPU seconds of the process and its threads
behind the first tenth of the rounds, and the peak of its resident memory in bytes."""
import json
import sys
import time


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def measured(one_round, rounds):
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else rounds
    for number in range(rounds // 10):
        one_round(number)
    began = time.process_time()
    for number in range(rounds // 10, rounds):
        one_round(number)
    print(json.dumps({"work_s": time.process_time() - began, "peak": peak_bytes()}), flush=True)
