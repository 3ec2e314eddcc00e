# SPDX-License-Identifier: MIT
"""Checks the names in a stripped extension. usage: check_wheel.py DATABASE PACKAGE"""
import collections
import sys

from recorded_stacks import Recorded, check, is_named, named_share

wheel = sys.argv[2]
recorded = Recorded(sys.argv[1])
sites = list(recorded.sites())
total, named = named_share(sites, f"/{wheel}/")
worst = collections.Counter()
for site in sites:
    for frame in {f for f in site.frames if f"/{wheel}/" in f.module and not is_named(f)}:
        worst[frame.function] += site.bytes
check(f"the extension takes part [{wheel}]", total > 100000, f"{total:.0f} bytes")
check(f"99 % of the bytes below the extension have a name in each of its frames [{wheel}]", total and named >= 0.99 * total,
      f"{named:.0f} of {total:.0f}; the worst: {worst.most_common(3)}")
none = sum(site.bytes for site in sites if not site.frames)
check(f"no byte is without a stack [{wheel}]", none == 0, f"{none:.0f} bytes")
