# SPDX-License-Identifier: MIT
"""Says what a program can find out about its extensions: the same lines with and without kprof."""
import ctypes
import gc
import importlib
import importlib.util
import inspect
import json
import math
import pickle
import sys

before = list(sys.modules)
import convmod
import convnop

print("import order", [name for name in sys.modules if name not in before])
print("signature", inspect.signature(convmod.make), convmod.make.__doc__, convmod.make.__name__,
      convmod.make.__qualname__, convmod.make.__module__, convmod.make.__text_signature__)
print("pickled", pickle.loads(pickle.dumps(convmod.make)) is convmod.make,
      pickle.dumps(convmod.lengths), pickle.loads(pickle.dumps(math.sin)) is math.sin)
print("equal", convmod.make == convmod.make, convmod.make == convnop.make,
      len({convmod.make, convmod.make, convnop.make}))
print("results", convmod.make(1), convmod.lengths("a", "bc"), len(convmod.grow(5000)), convmod.Counter()())
print("next", convmod.next_is_real(), convnop.next_is_real())


class Child(convmod.Counter):
    pass


print("subclass", Child()(), convmod.Counter.__new__(Child).__class__.__name__)
try:
    object.__new__(convmod.Counter)
    print("object.__new__ makes it")
except TypeError as error:
    print("object.__new__", error)
try:
    convmod.lengths(3)
except TypeError as error:
    print("error", error)


def fails():
    raise KeyError("from inside")


try:
    convmod.call(fails)
except KeyError as error:
    print("exception", error, [frame.name for frame in __import__("traceback").extract_tb(error.__traceback__)])

# A function of the C API by ctypes is the interpreter's own.
api = ctypes.pythonapi
api.PyBytes_FromStringAndSize.restype = ctypes.py_object
api.PyBytes_FromStringAndSize.argtypes = [ctypes.c_char_p, ctypes.c_ssize_t]
print("pythonapi", api.PyBytes_FromStringAndSize(b"abc", 3))

# The functions of the standard library are where they were.
get = api.PyCFunction_GetFunction
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object]
maps = []
with open("/proc/self/maps") as lines:
    for line in lines:
        part = line.split(None, 5)
        if len(part) == 6:
            low, high = (int(x, 16) for x in part[0].split("-"))
            maps.append((low, high, part[5].strip().rsplit("/", 1)[-1]))


def home(function):
    address = get(function)
    return next((name for low, high, name in maps if low <= address < high), "nowhere")


for name in ("math", "_json", "_pickle", "_ctypes", "builtins", "_struct", "zlib"):
    module = importlib.import_module(name)
    functions = [f for f in vars(module).values() if type(f) is type(len)]
    print("identity", name, sorted({home(f) for f in functions}), len(functions))

# Again: reload, from scratch, and after the module was forgotten.
importlib.reload(json)
first = convmod.make
importlib.reload(convmod)
print("reload", convmod.make(1)["name"], first(1)["name"])
del sys.modules["convmod"]
again = importlib.import_module("convmod")
print("again", again.make(1)["name"], again is convmod, convmod.make(1)["name"])
del again
gc.collect()

try:
    import _xxsubinterpreters as interpreters
except ImportError:
    interpreters = None
if interpreters:
    for name in ("convmod", "convnop"):
        other = interpreters.create()
        try:
            interpreters.run_string(other, "import sys; sys.path[:] = %r; import %s; %s.make(3)" % (sys.path, name, name))
            print("subinterpreter", name, "ran")
        except Exception as error:
            print("subinterpreter", name, type(error).__name__)
        interpreters.destroy(other)
print("after", convmod.make(1)["name"], convnop.make(1)["name"])
