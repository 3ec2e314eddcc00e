# SPDX-License-Identifier: MIT
"""Uses a wheel the way services do. usage: use_wheel.py pydantic_core|orjson"""
import sys

KEPT = []


def use_orjson():
    import orjson
    for number in range(200):
        text = orjson.dumps({"id": number, "rows": [{"n": n, "s": "x" * (n % 50), "f": n / 7} for n in range(50)]})
        KEPT.append(orjson.loads(text))


def use_pydantic_core():
    from pydantic_core import SchemaSerializer, SchemaValidator, ValidationError, core_schema
    row = core_schema.typed_dict_schema({
        "id": core_schema.typed_dict_field(core_schema.int_schema()),
        "name": core_schema.typed_dict_field(core_schema.str_schema(max_length=50)),
        "tags": core_schema.typed_dict_field(core_schema.list_schema(core_schema.str_schema())),
        "when": core_schema.typed_dict_field(core_schema.datetime_schema()),
    })
    rows = core_schema.list_schema(row)
    validator, serializer = SchemaValidator(rows), SchemaSerializer(rows)
    for number in range(100):
        data = [{"id": str(n), "name": f"name {number}", "tags": ["a", "b" * n], "when": "2026-01-02T03:04:05Z"} for n in range(20)]
        good = validator.validate_python(data)
        KEPT.append(validator.validate_json(serializer.to_json(good)))
        try:
            validator.validate_python([{"id": "x", "name": "y" * 60, "tags": 3}])
        except ValidationError as error:
            KEPT.append(str(error))


{"orjson": use_orjson, "pydantic_core": use_pydantic_core}[sys.argv[1]]()
