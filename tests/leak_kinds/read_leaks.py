# SPDX-License-Identifier: MIT
"""read_leaks.py: of `kprof-report DB leaks --json` on stdin, what a kind is known by, in one line:
verdict|what grows|side|place|module."""
import json
import os
import sys

leaks = json.load(sys.stdin)
site = next(iter(leaks["sites"]), None)
words = [leaks["total"]["verdict"], leaks["total"]["grows"]]
if leaks["total"]["verdict"].endswith("leak") and site and leaks["total"]["verdict"] != "no leak":
    words += [site["side"], site["where"], os.path.basename(site["module"] or "")]
print("|".join(words))
