# SPDX-License-Identifier: MIT
"""A message of about 1 MB in many small parts goes to JSON and back; a little of each stays."""
import json

from measured import measured

MESSAGE = {"messages": [{"role": "user", "content": "x" * 1000, "id": n, "meta": {"scores": [1.5 * n] * 5, "key": str(n)}}
                        for n in range(700)]}
KEPT = []


def one_round(number):
    text = json.dumps(MESSAGE).encode()
    message = json.loads(text)
    KEPT.append(text[number:number + 1220])
    return len(message)


measured(one_round, 800)
