# SPDX-License-Identifier: MIT
"""Validates JSON in a loop, and makes it again: what services do with pydantic all day."""
import json

from pydantic import BaseModel


class Item(BaseModel):
    id: int
    name: str
    tags: list[str]
    price: float = 0.0


class Order(BaseModel):
    id: int
    items: list[Item]
    meta: dict[str, str]


items = [{"id": i, "name": "n\u00e4me%d" % i, "tags": ["a" * i, "b", "c"], "price": i / 3}
         for i in range(40)]
text = json.dumps({"id": 7, "items": items, "meta": {"k%d" % i: "v" * i for i in range(20)}})
bad = text.replace('"id": 3,', '"id": "three",')
for _ in range(50):
    order = Order.model_validate_json(text)
    again = Order.model_validate(order.model_dump())
    order.model_dump_json()
    try:
        Order.model_validate_json(bad)
    except ValueError as error:
        str(error)
