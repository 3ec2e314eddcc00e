# SPDX-License-Identifier: MIT
"""A tree of programs: this one starts a shell, the shell starts this again, and so on; each Python of it keeps
100 blocks of 10,000 bytes, and the last prints a line and waits. usage: tree.py LEVELS"""
import subprocess
import sys
import time

KEPT = []


def hold(count):
    for _ in range(count):
        KEPT.append(bytearray(10000))


hold(100)
levels = int(sys.argv[1])
if levels > 0:
    # The shell has something to do behind it and does not exec.
    subprocess.run(["sh", "-c", '"$0" "$1" "$2"; true', sys.executable, __file__, str(levels - 1)], check=False)
else:
    print("ready", flush=True)
time.sleep(60)
