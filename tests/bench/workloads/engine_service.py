# SPDX-License-Identifier: MIT
"""A service around an engine in Rust (examples/pyo3-engine): the request of 1 MB arrives as JSON and goes to Python by
pythonize; Python makes a prompt of it and checks its length; a generator answers in a hundred chunks, each of which
is read by depythonize and sent on as a line of JSON. A round is two requests."""
import json

import pyo3_engine
from measured import measured

ENGINE = pyo3_engine.Engine(1 << 20, False)
SESSIONS = {}


def chunk(number, text):
    choice = {"index": 0, "finish_reason": None, "delta": {"role": "assistant", "content": text}}
    return {"id": f"chunk-{number:08}", "created": 1_700_000_000 + number, "model": "small-3b", "choices": [choice]}


def answer(prompt):
    words = prompt.count(" ")
    for number in range(100):
        yield chunk(number, f"{prompt[number * 7:number * 7 + 60]} and so on, word {number} of {words}")


def serve(number):
    json.loads(ENGINE.send_json())
    request = ENGINE.send_pythonize()
    prompt = "\n".join(f"<{message['role']}> {message['content']}" for message in request["messages"])
    sent = []
    for part in answer(prompt):
        ENGINE.receive_chunk(part)
        sent.append(f"data: {json.dumps(part)}\n\n")
    SESSIONS[number % 50] = {"temperature": request["temperature"], "sent": sum(map(len, sent)), "last": sent[-1]}


def one_round(number):
    serve(2 * number)
    serve(2 * number + 1)


measured(one_round, 350)
