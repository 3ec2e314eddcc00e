# SPDX-License-Identifier: MIT
"""A heap of Python objects of which everything is known: bytes of one size, one of eight of them kept
by another line than the rest. What Python says of its own allocator goes to stderr at the end."""
import sys

SIZE = 464
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 80000
LENGTH = SIZE - sys.getsizeof(b"")


def planted(i):
    return bytes(LENGTH)


def passing(i):
    return bytes(LENGTH)


kept, others = [None] * (COUNT // 8), [None] * COUNT
for i in range(COUNT):
    if i % 8 == 3:
        kept[i // 8] = planted(i)
    else:
        others[i] = passing(i)
others.clear()
print("blocks", len(kept))
sys.stdout.flush()
sys._debugmallocstats()
