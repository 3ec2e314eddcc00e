# SPDX-License-Identifier: MIT
"""A service around the engine: sends messages of 1 MiB, receives chunks, each in several ways.

usage: app.py [--times N] [--bytes N] [--chunks N] [--leak] [--clock] [WAY ...]

Without WAY all of them run. --leak forgets a handle of each request, --clock prints what the clock
inside the engine has measured, as JSON.
"""
import argparse
import contextlib
import json
import sys
import threading

import pyo3_engine

try:
    import orjson as fast_json
except ImportError:
    fast_json = json


def chunk(number):
    delta = {"role": "assistant", "content": f"token {number} of the answer that nobody has waited for so long ago, " * 3}
    choice = {"index": 0, "finish_reason": None, "delta": delta}
    return {"id": f"chunk-{number:08}", "created": 1_700_000_000 + number, "model": "small-3b", "choices": [choice]}


def chunks(count):
    for number in range(count):
        yield chunk(number)


def send_pythonize(engine, options):
    for _ in range(options.times):
        engine.send_pythonize()


def send_list(engine, options):
    for _ in range(options.times):
        engine.send_list()


def send_serde_bytes(engine, options):
    for _ in range(options.times):
        engine.send_serde_bytes()


def send_pybytes(engine, options):
    for _ in range(options.times):
        engine.send_pybytes()


def send_in_place(engine, options):
    for _ in range(options.times):
        engine.send_in_place()


def send_view(engine, options):
    for _ in range(options.times):
        memoryview(engine.send_view())[-1]


def send_text_view(engine, options):
    for _ in range(options.times):
        memoryview(engine.send_text_view()["content"])[-1]


def send_json(engine, options):
    for _ in range(options.times):
        fast_json.loads(engine.send_json())


def send_by_json(engine, options):
    for _ in range(options.times):
        engine.send_by_json(fast_json.loads)


def send_chunks(engine, options):
    for _ in range(options.times):
        engine.send_chunks()


def send_interned(engine, options):
    for _ in range(options.times):
        engine.send_interned()


def receive_elements(engine, options):
    body = bytes(options.bytes)
    for _ in range(options.times):
        engine.receive_elements({"name": "photo.raw", "body": body})


def receive_serde_bytes(engine, options):
    body = bytes(options.bytes)
    for _ in range(options.times):
        engine.receive_serde_bytes({"name": "photo.raw", "body": body})


def receive_slice(engine, options):
    body = bytes(options.bytes)
    for _ in range(options.times):
        engine.receive_slice(body)


def receive_chunk(engine, options):
    for number in range(options.times * 100):
        engine.receive_chunk(chunk(number))


def receive_chunks(engine, options):
    many = list(chunks(100))
    for _ in range(options.times):
        engine.receive_chunks(many)


def receive_json(engine, options):
    dumps = fast_json.dumps
    for number in range(options.times * 100):
        text = dumps(chunk(number))
        engine.receive_json(text if isinstance(text, bytes) else text.encode())


@contextlib.contextmanager
def busy_service():
    """Somebody else works in Python meanwhile and has the GIL most of the time."""
    done = threading.Event()

    def work():
        while not done.is_set():
            sum(number * number for number in range(1000))

    thread = threading.Thread(target=work, name="service")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def stream_blocking(engine, options):
    with busy_service():
        engine.stream_blocking(chunks(options.chunks))


def stream_direct(engine, options):
    with busy_service():
        engine.stream_direct(chunks(options.chunks))


def stream_batched(engine, options):
    with busy_service():
        engine.stream_batched(chunks(options.chunks), 50)


WAYS = (send_pythonize, send_list, send_serde_bytes, send_pybytes, send_in_place, send_view, send_text_view, send_json, send_by_json,
        send_chunks, send_interned, receive_elements, receive_serde_bytes, receive_slice, receive_chunk, receive_chunks,
        receive_json,
        stream_blocking, stream_direct, stream_batched)


def main():
    parser = argparse.ArgumentParser(description="sends and receives messages, each in several ways")
    parser.add_argument("ways", metavar="WAY", nargs="*", help="of " + ", ".join(way.__name__ for way in WAYS))
    parser.add_argument("--times", type=int, default=50, help="messages sent in each way (50)")
    parser.add_argument("--bytes", type=int, default=1 << 20, help="of a message (1 MiB)")
    parser.add_argument("--chunks", type=int, default=100, help="in each stream (100)")
    parser.add_argument("--leak", action="store_true", help="forget a handle of each request of send_pythonize")
    parser.add_argument("--clock", action="store_true", help="print what the engine's own clock says")
    options = parser.parse_args()
    names = [way.__name__ for way in WAYS]
    unknown = [name for name in options.ways if name not in names]
    if unknown:
        parser.error(f"no such way: {unknown[0]}")
    pyo3_engine.clock_switch(options.clock)
    engine = pyo3_engine.Engine(options.bytes, options.leak)
    for way in WAYS:
        if (not options.ways or way.__name__ in options.ways) and hasattr(engine, way.__name__):
            way(engine, options)
    if options.clock:
        json.dump(pyo3_engine.clock_read(), sys.stdout)
        print()


if __name__ == "__main__":
    main()
