# SPDX-License-Identifier: MIT
"""Blocks of known sizes in each of Python's allocator domains, on lines that are written down.

usage: domains_program.py FOLDER      writes FOLDER/expected.json, {"file:line": what lives at the end}
The steps run once a domain, each time under a file name of its own.
"""
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
import tree_ext  # noqa: E402

EXPECTED = {}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "domains_steps.py")) as steps:
    SOURCE = steps.read()
for domain in ("object", "mem", "raw"):
    name = "/domain/%s.py" % domain
    exec(compile(SOURCE, name, "exec"), {"tree_ext": tree_ext, "EXPECTED": EXPECTED, "DOMAIN": domain, "FILE": name})
with open(os.path.join(sys.argv[1], "expected.json"), "w") as file:
    json.dump(EXPECTED, file)
os._exit(0)
