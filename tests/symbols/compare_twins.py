# SPDX-License-Identifier: MIT
"""How right are the labels of a stripped library?

usage: compare_twins.py NAME_FUNCTIONS FULL STRIPPED

Names what follows each call in both files; the unstripped twin knows the truth. Prints
labels, of them with a file that has code in the function, lines, of them with a file in the chain
of calls that are inlined at the very address.
"""
import bisect
import collections
import re
import subprocess
import sys


def run(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def functions(path):
    """(start, end) of each function, sorted, by the symbol table."""
    found = set()
    for line in run("nm", "-S", "--defined-only", path).splitlines():
        part = line.split()
        if len(part) == 4 and part[2] in "tT" and int(part[1], 16):
            found.add((int(part[0], 16), int(part[0], 16) + int(part[1], 16)))
    return sorted(found)


def calls(path):
    """Addresses as they stand in a recording: of the return from a call, less one."""
    found, before = [], False
    for line in run("objdump", "-d", "--no-show-raw-insn", "-j", ".text", path).splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(\w+)", line)
        if match:
            if before:
                found.append(int(match[1], 16) - 1)
            before = match[2].startswith("call")
    return found


def frames(tool, path, addresses):
    named = collections.defaultdict(list)
    text = "\n".join("%x" % a for a in addresses)
    for line in run(tool, path, "-", text=text).splitlines():
        address, rest = line.split("|", 1)
        name, file, number, _ = rest.rsplit("|", 3)
        named[int(address, 16)].append((name, file, int(number)))
    return named


def same(label, file):
    """The label's path is shortened; three parts of it tell enough."""
    tail = "/".join(label.split("/")[-3:])
    return bool(file) and (file.endswith(tail) or label.endswith("/".join(file.split("/")[-3:])))


def main():
    tool, full, stripped = sys.argv[1:]
    bounds = functions(full)
    starts = [start for start, _ in bounds]
    where = {}
    for pc in calls(full):
        i = bisect.bisect_right(starts, pc) - 1
        if i >= 0 and pc < bounds[i][1]:
            where[pc] = bounds[i]
    labels = frames(tool, stripped, where)
    labelled = [pc for pc in where if labels[pc][0][0].endswith("(nearby)")]
    inside = {a: where[pc] for pc in labelled for a in range(where[pc][0], where[pc][1], 3)}
    truth = frames(tool, full, list(inside) + labelled)
    files = collections.defaultdict(set)
    for address, bound in inside.items():
        files[bound] |= {file for _, file, _ in truth[address]}
    known = right = lines = lines_right = 0
    for pc in labelled:
        _, file, line = labels[pc][0]
        if not any(files[where[pc]]):
            continue
        known += 1
        right += any(same(file, f) for f in files[where[pc]])
        if line and all(number for _, _, number in truth[pc]):  # line 0: the compiler lost it
            lines += 1
            lines_right += any(same(file, f) for _, f, _ in truth[pc])
    print(known, right, lines, lines_right)


main()
