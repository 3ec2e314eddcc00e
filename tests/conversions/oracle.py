# SPDX-License-Identifier: MIT
"""Converts: oracle.py MODULE TIMES THREADS [KILL]. Each thread makes TIMES; with KILL the process
ends itself by SIGKILL right afterwards."""
import importlib
import os
import signal
import sys
import threading

module = importlib.import_module(sys.argv[1])
times, count = int(sys.argv[2]), int(sys.argv[3])
threads = [threading.Thread(target=module.make, args=(times,)) for _ in range(count - 1)]
for thread in threads:
    thread.start()
module.make(times)
for thread in threads:
    thread.join()
if len(sys.argv) > 4:
    os.kill(os.getpid(), signal.SIGKILL)
