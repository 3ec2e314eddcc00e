# SPDX-License-Identifier: MIT
"""A parent with three workers of multiprocessing; each keeps 100 blocks of 10,000 bytes, says so, and waits to
be ended. The first is killed. usage: workers.py fork|spawn|forkserver LOG"""
import multiprocessing
import os
import signal
import sys

KEPT = []


def hold(count):
    for _ in range(count):
        KEPT.append(bytearray(10000))


def work(said):
    hold(100)
    said.send(os.getpid())
    said.recv()
    os._exit(0)  # what is live now stays so in the database


def main():
    context = multiprocessing.get_context(sys.argv[1])
    workers, pipes = [], []
    for _ in range(3):
        ours, theirs = context.Pipe()
        workers.append(context.Process(target=work, args=(theirs,)))
        pipes.append(ours)
        workers[-1].start()
    with open(sys.argv[2], "w", encoding="ascii") as log:
        print(*(pipe.recv() for pipe in pipes), file=log)
    os.kill(workers[0].pid, signal.SIGKILL)
    workers[0].join()
    for pipe in pipes[1:]:
        pipe.send("end")
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
