# SPDX-License-Identifier: MIT
"""A program whose calls are known: every kind of Python code that has a frame, with C code in between.

usage: tree.py FOLDER      writes FOLDER/expected.PID.json, one list of marks for each process

Every mark has a size of its own. tree_ext writes the expected stacks down with Python's own API;
compare_tree.py holds them against the recording. Runs on 3.9 and later.
"""
import asyncio
import contextlib
import functools
import importlib
import json
import os
import signal
import sys
import threading
import zipfile

FOLDER = sys.argv[1]
sys.path.insert(0, FOLDER)
import tree_ext  # noqa: E402

KINDS = ["object", "mem", "raw", "malloc", "mmap"]
counter = 0


def following():
    """Size and kind of the next mark: odd sizes, small ones for pymalloc, larger ones around it."""
    global counter
    counter += 1
    kind = KINDS[counter % len(KINDS)]
    small = 301 + 2 * (counter % 100)
    return (small, kind) if kind in ("object", "mem") and counter % 2 else (12345 + 2 * counter, kind)


def plain():
    tree_ext.mark(*following())


def through_c():
    tree_ext.call(plain)


def tower(levels):
    """Python -> C -> Python -> C ..."""
    if levels:
        tree_ext.call(lambda: tree_ext.call(tower, levels - 1))
    else:
        plain()


def recursion(levels):
    if levels:
        return recursion(levels - 1)
    tree_ext.mark(*following())
    return 0


def recursion_through_c(levels):
    if levels:
        return tree_ext.call(recursion_through_c, levels - 1)
    tree_ext.mark(*following())
    return 0


# ---- generators -------------------------------------------------------------------------------
def leaf_generator():
    tree_ext.mark(*following())
    yield 1
    tree_ext.call(plain)
    yield 2


def outer_generator():
    yield from leaf_generator()
    try:
        yield 3
    finally:
        tree_ext.mark(*following())


def thrown_generator():
    try:
        yield
    except KeyError:
        tree_ext.call(plain)
        yield


def generators():
    for _ in outer_generator():
        pass
    abandoned = outer_generator()
    for _ in range(3):
        next(abandoned)
    abandoned.close()
    thrown = thrown_generator()
    next(thrown)
    thrown.throw(KeyError())
    list(map(lambda value: tree_ext.mark(*following()), range(2)))
    sum(tree_ext.mark(*following()) or 1 for _ in range(2))
    [tree_ext.mark(*following()) for _ in range(2)]
    {key: tree_ext.mark(*following()) for key in range(2)}
    {tree_ext.mark(*following()) for _ in range(1)}
    tree_ext.call(list, (tree_ext.mark(*following()) for _ in range(1)))


# ---- coroutines -------------------------------------------------------------------------------
async def awaited(levels):
    if levels:
        return await awaited(levels - 1)
    tree_ext.mark(*following())
    await asyncio.sleep(0)
    tree_ext.call(plain)
    return levels


async def asynchronous_generator():
    for _ in range(2):
        tree_ext.mark(*following())
        yield await awaited(0)


class Context:
    async def __aenter__(self):
        tree_ext.mark(*following())

    async def __aexit__(self, *_):
        tree_ext.call(plain)


async def tasks():
    await asyncio.gather(awaited(3), awaited(1))
    async for _ in asynchronous_generator():
        plain()
    async with Context():
        await asyncio.get_running_loop().run_in_executor(None, through_c)
    [await awaited(0) async for _ in asynchronous_generator()]
    asyncio.get_running_loop().call_soon(plain)
    await asyncio.sleep(0)


# ---- classes ----------------------------------------------------------------------------------
def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        tree_ext.mark(*following())
        return function(*args)
    return wrapper


class Meta(type):
    def __call__(cls, *args):
        tree_ext.mark(*following())
        return super().__call__(*args)


class Thing(metaclass=Meta):
    tree_ext.mark(*following())

    def __init__(self):
        tree_ext.mark(*following())

    @property
    def value(self):
        return tree_ext.call(plain)

    @classmethod
    def of_class(cls):
        tree_ext.mark(*following())

    @staticmethod
    def of_nothing():
        tree_ext.mark(*following())

    @decorated
    def method(self):
        tree_ext.call(self.of_class)

    def __getattr__(self, name):
        tree_ext.mark(*following())
        return name

    def __del__(self):
        tree_ext.mark(*following())

    def __lt__(self, other):
        tree_ext.mark(*following())
        return False

    def __iter__(self):
        tree_ext.mark(*following())
        return iter(())

    def __getitem__(self, key):
        tree_ext.mark(*following())
        return key

    def __add__(self, other):
        tree_ext.mark(*following())
        return self

    class Inner:
        def method(self):
            def local():
                tree_ext.mark(*following())
            local()


class Plain:
    def __init__(self, again):
        if again:
            Plain(again - 1)
        tree_ext.mark(*following())


def classes():
    thing = Thing()
    thing.value
    thing.of_class()
    thing.of_nothing()
    thing.method()
    thing.missing
    sorted([thing, Thing()])
    list(thing)
    thing[1] + 1 if False else thing + thing[2]
    Thing.Inner().method()
    functools.partial(thing.method)()
    functools.reduce(lambda a, b: tree_ext.mark(*following()), [1, 2, 3])
    max([1, 2], key=lambda value: tree_ext.mark(*following()) or 0)
    Plain(3)
    del thing


# ---- after many calls: specialised and traced code ----------------------------------------------
def hot(again):
    """The same instructions after they were specialised by thousands of calls."""
    return Plainer(again).step(again)


class Plainer:
    def __init__(self, again):
        if again:
            tree_ext.mark(*following())

    def step(self, again):
        if again:
            tree_ext.mark(*following())
        return [value for value in self.numbers(again)][0]

    def numbers(self, again):
        yield again
        if again:
            tree_ext.mark(*following())


def specialised():
    for _ in range(3000):
        hot(0)
    hot(1)
    total = 0
    for value in range(5000):
        total += value
        if value == 4990:
            tree_ext.mark(*following())


def traced():
    def tracer(frame, event, argument):
        return tracer
    sys.settrace(tracer)
    hot(1)
    through_c()
    sys.settrace(None)
    seen = []

    def profiler(frame, event, argument):
        if event == "call" and not seen:
            seen.append(1)
            tree_ext.mark(*following())
    sys.setprofile(profiler)
    plain()
    sys.setprofile(None)
    hot(1)


# ---- code that is made at run time --------------------------------------------------------------
def made(source, file, **names):
    exec(compile(source, file, "exec"), dict(names, tree_ext=tree_ext, following=following, plain=plain))


def made_code():
    made("tree_ext.mark(*following())\n", "<made up>")
    made("\n\ndef f():\n    tree_ext.call(plain)\nf()\n", "/nowhere/made.py")
    made("\n" * 70000 + "tree_ext.mark(*following())\n", "far down.py")
    eval("tree_ext.mark(*following())")
    # more than 64 KiB of instructions and of line table, lines far apart, up and down
    made("x = 0\n" + "x += 1; x -= 1\n" * 9000 + "tree_ext.mark(*following())\n", "long.py")
    made("(\n" * 60 + "tree_ext.mark(\n\n\n*following())" + "\n)" * 60 + "\n", "deep.py")
    made("def g(a,\n      b):\n    return (a,\n\n" + "\n" * 300 + "        b(),\n        a())\n"
         "g(plain,\n  plain)\n", "apart.py")
    made("@(lambda f: tree_ext.mark(*following()))\n@(lambda f: f)\ndef h():\n    pass\n", "decorators.py")
    made("for i in range(2):\n\n    tree_ext.mark(\n        *following()\n    )\n", "wrapped.py")
    made("try:\n    1 / 0\nexcept ZeroDivisionError:\n    tree_ext.mark(*following())\n", "excepted.py")
    for name in ("gr\u00f6\u00dfe", "\u0434\u043b\u0438\u043d\u0430", "\U00010437\U00010438", "\u6570\u3048\u308b"):
        made("def {0}():\n    tree_ext.mark(*following())\nclass {0}_:\n    def m(self):\n        tree_ext.call({0})\n"
             "{0}_().m()\n".format(name), "/tmp/%s \U0001f600.py" % name)
        made("tree_ext.mark(*following())\n", name)
    for name in ("tab\there.py", 'quote".py', "line\nbreak.py", "pipe|semi;colon.py", "", "a" * 3000 + ".py"):
        made("tree_ext.mark(*following())\n", name)


def imported():
    body = "import tree_ext\nfrom __main__ import following\ntree_ext.mark(*following())\n" \
           "def called():\n    tree_ext.mark(*following())\n"
    with zipfile.ZipFile(os.path.join(FOLDER, "zipped.zip"), "w") as archive:
        archive.writestr("in_zip.py", body)
    for name in ("from_file", "m\u00f3dulo", "\u043c\u043e\u0434\u0443\u043b\u044c"):
        with open(os.path.join(FOLDER, name + ".py"), "w", encoding="utf-8") as file:
            file.write(body)
        importlib.import_module(name).called()
    sys.path.insert(0, os.path.join(FOLDER, "zipped.zip"))
    import in_zip
    in_zip.called()


# ---- who else calls Python -----------------------------------------------------------------------
def callbacks():
    import gc
    import weakref
    signal.signal(signal.SIGUSR1, lambda number, frame: plain())
    signal.raise_signal(signal.SIGUSR1)

    class Target:
        pass
    target = Target()
    reference = weakref.ref(target, lambda _: tree_ext.mark(*following()))
    del target
    assert reference() is None

    def collected(phase, info):
        tree_ext.mark(*following())
    gc.callbacks.append(collected)
    gc.collect()
    gc.callbacks.remove(collected)
    with contextlib.ExitStack() as stack:
        stack.callback(plain)

    @contextlib.contextmanager
    def managed():
        tree_ext.mark(*following())
        yield
        tree_ext.call(plain)
    with managed():
        plain()
    try:
        json.loads("[1, 2]", parse_int=lambda text: tree_ext.mark(*following()))
        raise ValueError
    except ValueError:
        plain()
    finally:
        plain()


def threads():
    for target in (plain, through_c, lambda: tower(3), generators, lambda: asyncio.run(tasks())):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    tree_ext.call_in_thread(tower, 2, 20001)
    tree_ext.call_in_thread(lambda value: tree_ext.call_in_thread(tower, value, 20003), 1, 20005)


def write_down():
    with open(os.path.join(FOLDER, "expected.%d.json" % os.getpid()), "w", encoding="utf-8") as file:
        json.dump(tree_ext.marks, file)


def forked():
    pid = os.fork()
    if pid == 0:
        tree_ext.marks.clear()
        through_c()
        recursion(5)
        generators()
        made("tree_ext.call(plain)\n", "child.py")
        write_down()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def main():
    sys.setrecursionlimit(5000)
    tree_ext.mark(*following())
    forked()  # before there is any other thread: Python must not warn of fork and threads
    plain(), through_c()
    tower(0)
    tower(20)
    recursion(10)
    recursion(897)
    recursion_through_c(150)
    generators()
    asyncio.run(tasks())
    classes()
    specialised()
    traced()
    made_code()
    imported()
    callbacks()
    threads()
    recursion(897)
    write_down()


tree_ext.mark(*following())
if __name__ == "__main__":
    main()
