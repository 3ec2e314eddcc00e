# SPDX-License-Identifier: MIT
"""An order service with a C extension, and what a memory report must tell apart in it:

    churn   each order is decoded, summed and dropped again
    cache   the last 500 labels are kept: grows at first, then stays
    leak 1  orders.label() forgets its C buffer for names with a quote in them
    leak 2  orders.promote() keeps every urgent order alive: the dicts that read() has made

Works without kprof as well; then `kprof.iterations` only hands on what it is given.
"""
import json
import sys
from collections import OrderedDict

import kprof
import orders

CACHED = 500


def incoming(count):
    """Orders as they come in over the wire."""
    for number in range(count):
        name = f'customer {number % 977}' if number % 5 else f'the "{number}" {"store " * 30}'
        yield json.dumps({"id": number, "name": name, "urgent": number % 20 == 0,
                          "lines": [n * 1.25 for n in range(number % 8 + 8)]})


def read(text):
    return json.loads(text)


class Labels:
    """The cache: bounded."""

    def __init__(self):
        self.kept = OrderedDict()

    def of(self, order):
        text = orders.label(order["name"])
        self.kept[order["id"]] = text
        if len(self.kept) > CACHED:
            self.kept.popitem(last=False)
        return text


def handle(text, labels):
    order = read(text)
    labels.of(order)
    if order["urgent"]:
        orders.promote(order)
    return orders.total(order["lines"])


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200000
    labels = Labels()
    turnover = 0.0
    for text in kprof.iterations(incoming(count)):
        turnover += handle(text, labels)
    print(f"{count} orders, turnover {turnover:.2f}")


main()
