# SPDX-License-Identifier: MIT
"""Programs that are hard on whoever reads Python's stacks while they run. Runs on 3.9 and later.

usage: storms.py NAME FOLDER      marks blocks by tree_ext and writes FOLDER/expected.PID.json
"""
import asyncio
import gc
import json
import os
import signal
import sys
import threading

FOLDER = sys.argv[2]
sys.path.insert(0, FOLDER)
import tree_ext  # noqa: E402


def mark():
    """Odd sizes, some of which Python's own allocator serves; told apart by address."""
    number = len(tree_ext.marks)
    tree_ext.mark(301 + number % 1500, ("object", "mem", "malloc")[number % 3])


def write_down():
    with open(os.path.join(FOLDER, "expected.%d.json" % os.getpid()), "w", encoding="utf-8") as file:
        json.dump(tree_ext.marks, file)


def in_threads(count, function):
    threads = [threading.Thread(target=function, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def churn(rounds):
    """Allocates and frees objects of many sizes."""
    for number in range(rounds):
        kept = [bytes(size) for size in range(0, 700, 37)]
        kept.append({str(key): [key] for key in range(number % 20)})


# Code objects die and their addresses are used again, by code with other names and lines.
def exec_storm():
    def one(number):
        name = "f%d_%s" % (number, "\u00e9\u4e00"[number % 2] * (number % 5))
        source = "\n" * (number * 7 % 300) + "def %s(mark):\n%s    mark()\n" % (name, "    x = 1\n" * (number % 40))
        names = {}
        exec(compile(source, "made %d.py" % number, "exec"), names)
        names[name](mark)

    def some(thread):
        for number in range(120):
            one(thread * 1000 + number)
            if number % 20 == 0:
                gc.collect()
    some(9)
    in_threads(4, some)


# The same at the same address: one code object at a time, in a loop that leaves nothing behind.
def reuse_storm():
    for number in range(400):
        code = compile("\n" * (number % 50) + "mark()", "file%d.py" % (number % 7), "exec")
        exec(code, {"mark": mark})
        del code


def fork_storm():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            churn(5)

    workers = [threading.Thread(target=busy) for _ in range(3)]
    for worker in workers:
        worker.start()
    marked = []

    def forks(_):
        for _ in range(8):
            pid = os.fork()
            if pid == 0:
                # Only async-signal-safe things are sure to work here; that Python does more is its custom.
                tree_ext.marks.clear()
                churn(3)
                mark()
                write_down()
                os._exit(0)
            marked.append(os.waitpid(pid, 0)[1])
    in_threads(2, forks)
    stop.set()
    for worker in workers:
        worker.join()
    assert marked == [0] * 16, marked
    for _ in range(200):
        mark()


def recursion_storm():
    sys.setrecursionlimit(3000)

    def down(levels):
        if levels % 300 == 0:
            mark()
        down(levels + 1)

    def down_through_c(levels):
        if levels % 100 == 0:
            mark()
        tree_ext.call(down_through_c, levels + 1)

    class Endless:
        def __repr__(self):
            return repr(self)
    for _ in range(3):
        for function in (down, down_through_c):
            sys.setrecursionlimit(3000 if function is down else 700)
            try:
                function(1)
            except RecursionError:
                mark()
        try:
            repr(Endless())
        except RecursionError:
            mark()
    for _ in range(200):
        mark()


def signal_storm():
    seen = []

    def handler(number, frame):
        seen.append([bytes(333)])
        if len(seen) < 100:
            mark()
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    rounds = 0
    while len(seen) < 100 and rounds < 20000:
        churn(10)
        rounds += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    for _ in range(200):
        mark()


# Generators and coroutines that go from thread to thread, with a switch every few instructions.
def switch_storm():
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def numbers():
        while True:
            mark()
            yield
    generators = [numbers() for _ in range(20)]
    lock = threading.Lock()

    def steps(thread):
        for number in range(60):
            with lock:
                next(generators[(number + thread) % 20])
            churn(1)
    in_threads(6, steps)

    async def one(number):
        await asyncio.sleep(0)
        mark()

    async def many():
        await asyncio.gather(*(one(number) for number in range(50)))
    in_threads(3, lambda _: asyncio.run(many()))
    sys.setswitchinterval(old)


def odd_name_storm():
    def function():
        mark()
    names = ["a" * 60000, "\u4e00" * 40000, "nul\0inside", "\udcff lone \ud800", "", "\n\r\t\x1b[31m"]
    for name in names:
        code = function.__code__
        changed = code.replace(co_name=name) if sys.version_info < (3, 11) else code.replace(co_name=name, co_qualname=name)
        type(function)(changed, globals())()
        type(function)(changed.replace(co_filename=name), globals())()
    # what is cut or replaced in those is no matter here: only that it can be read afterwards
    tree_ext.marks.clear()
    for _ in range(200):
        mark()


def greenlet_storm():
    import greenlet

    def run(number):
        for _ in range(10):
            mark()
            tree_ext.call(mark)
            greenlet.getcurrent().parent.switch()
    greenlets = [greenlet.greenlet(run) for _ in range(15)]
    for _ in range(11):
        for one in greenlets:
            one.switch(1)
            churn(1)
    mark()


def gevent_storm():
    import gevent

    def run(number):
        for _ in range(10):
            mark()
            gevent.sleep(0)
            churn(1)
    gevent.joinall([gevent.spawn(run, number) for number in range(25)])


def interpreter_storm():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    source = "def inner():\n    return [bytes(size) for size in range(700)]\nkept = [inner() for _ in range(3)]\n"
    for _ in range(4):
        number = interpreters.create()
        interpreters.run_string(number, source)

        def in_thread(_):
            interpreters.run_string(number, source)
        in_threads(1, in_thread)
        interpreters.destroy(number)
        mark()
    for _ in range(200):
        mark()


def daemon_storm():
    def forever():
        while True:
            churn(1)
    for _ in range(4):
        threading.Thread(target=forever, daemon=True).start()
    for _ in range(200):
        mark()
        churn(1)


globals()[sys.argv[1] + "_storm"]()
write_down()
