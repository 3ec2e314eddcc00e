# SPDX-License-Identifier: MIT
"""Prints blocks and bytes that are live and were made by a bytearray in a Python function.
usage: check_kept.py DATABASE FUNCTION [PID]"""
import sys

from recorded_stacks import Recorded

recorded = Recorded(sys.argv[1])
pids = {int(pid) for pid in sys.argv[3:] if pid}
kept = [site for site in recorded.sites()
        if site.live_bytes >= 10000 * site.live_count > 0 and (not pids or site.pid in pids)
        and any(f.lang == "python" and f.function.endswith(sys.argv[2]) for f in site.frames)]
print(f"{sum(site.live_count for site in kept):.0f} {sum(site.live_bytes for site in kept):.0f}")
