# SPDX-License-Identifier: MIT
"""What `kprof-report DB conversions --json` must say of examples/pyo3-engine; prints one line a check.

usage: check_engine.py REPORT.json spans CLOCK.json | advice | streams CLOCK.json | temporaries OTHER.json | leak TIMES BYTES
"""
import json
import os
import sys


def entries_of(report):
    found = {}
    for row in report["entries"]:
        found.setdefault(row["entry"].removeprefix("Engine."), {})[row["direction"]] = row
    return found


def check(good, what, why):
    print(f"ok - {what}" if good else f"not ok - {what}: {why}")


def near(value, wanted, share):
    return abs(value - wanted) <= share * wanted


def spans(entries, clock):
    for name in ("send_pythonize", "send_serde_bytes"):
        row, true_s = entries[name]["to_python"], clock[name][1]
        check(near(row["time_s"]["value"], true_s, 0.02), f"the span of {name} is that of the clock inside, within 2 %",
              f"{row['time_s']['value'] * 1e3:.3f} ms, the clock {true_s * 1e3:.3f} ms in {clock[name][0]} calls")


def rules_of(entries, name):
    return {advice["rule"]: advice for row in entries.get(name, {}).values() for advice in row["advice"]}


def figures(entries, name, *directions):
    rows = [row for direction, row in entries.get(name, {}).items() if direction in directions]
    return sum(row["allocated"]["value"] for row in rows), sum(row["time_s"]["value"] for row in rows)


LONG = os.environ.get("KPROF_TEST_LONG") == "1"

# Rule, the way that it is for, the way that cures it, direction.
CURES = (
    ("list-of-bytes", "send_list", "send_serde_bytes", "to_python"),
    ("item-by-item", "receive_elements", "receive_slice", "from_python"),
    ("large-copies", "send_pybytes", "send_view", "to_python"),
    ("large-copies", "send_pythonize", "send_text_view", "to_python"),
    ("repeated-keys", "send_chunks", "send_interned", "to_python"),
)


def advice(entries):
    for rule, case, cure, direction in CURES:
        said = rules_of(entries, case).get(rule)
        check(said, f"{case} is advised on: {rule}", f"only {sorted(rules_of(entries, case))}")
        check(rule not in rules_of(entries, cure), f"{cure}, which cures it, is not: {rule}", "it is")
        if not said:
            continue
        bytes_now, time_now = figures(entries, case, direction)
        bytes_then, time_then = figures(entries, cure, direction)
        check(near(said["saves_bytes"], bytes_now - bytes_then, 0.2), f"{case}: the bytes that the cure saves, within 20 %",
              f"{said['saves_bytes']:.0f}, it saved {bytes_now - bytes_then:.0f}")
        if LONG:  # a timing: not for a machine with other work
            check(near(said["saves_s"], time_now - time_then, 0.2), f"{case}: the time that the cure saves, within 20 %",
                  f"{said['saves_s'] * 1e3:.3f} ms, it saved {(time_now - time_then) * 1e3:.3f} ms")
    for name in ("send_view", "send_text_view", "send_in_place", "receive_slice", "send_interned", "stream_batched"):
        check(not rules_of(entries, name), f"{name}: nothing to advise on", f"{sorted(rules_of(entries, name))}")


def row_of(entries, name):
    return next(iter(entries[name].values()))


# Each way into the GIL: what it is called, its entry, its name on the clock inside.
STREAMS = (("the fetch before spawn_blocking", "stream_blocking", "stream_blocking.fetch"), ("spawn_blocking", "engine-blocking", "stream_blocking"),
           ("direct", "stream_direct", "stream_direct"), ("batched", "stream_batched", "stream_batched"))


def stream_times(entries, clock):
    """Not for a machine with other work: a thread may be stopped between the clock's reading and ours."""
    for name, entry, inside in STREAMS:
        row = row_of(entries, entry)
        true_wait, true_hold = clock[inside + ".wait"][1], clock[inside + ".hold"][1]
        check(near(row["gil_wait_s"], true_wait, 0.05), f"GIL wait, {name}: that of the clock inside, within 5 %",
              f"{row['gil_wait_s'] * 1e3:.2f} ms, the clock {true_wait * 1e3:.2f} ms")
        check(near(row["gil_hold_s"], true_hold, 0.2) or 0 < row["gil_hold_s"] - true_hold < 1e-3,
              f"GIL hold, {name}: that of the clock inside, within 20 % or a millisecond",
              f"{row['gil_hold_s'] * 1e3:.2f} ms, the clock {true_hold * 1e3:.2f} ms")
    saves = rules_of(entries, "stream_direct").get("gil-wait", {"saves_s": 0})["saves_s"]
    saved = row_of(entries, "stream_direct")["gil_wait_s"] - row_of(entries, "stream_batched")["gil_wait_s"]
    check(near(saves, saved, 0.2), "batches save what was said, within 20 %", f"{saves:.4f} s, {saved:.4f} s")


def streams(entries, clock):
    for name, entry, inside in STREAMS:
        row, wait = row_of(entries, entry), clock[inside + ".wait"]
        check(row["by_api"]["gil_wait"]["calls"] >= wait[0], f"GIL wait, {name}: as often as the clock inside says",
              f"{row['by_api']['gil_wait']['calls']}, the clock {wait[0]}")
        check(row["gil_wait_s"] > 0 and row["gil_hold_s"] > 0, f"{name}: how long the GIL was waited for and held",
              f"{row['gil_wait_s']}, {row['gil_hold_s']}")
    check("gil-wait" in rules_of(entries, "engine-blocking"), "spawn_blocking is advised on: gil-wait", "it is not")
    check("gil-wait" in rules_of(entries, "stream_direct"), "so is one chunk at a time", "it is not")
    check("gil-wait" not in rules_of(entries, "stream_batched"), "batches are not", "they are")
    allocated = {entry: sum(row["allocated"]["value"] for row in entries[entry].values()) for _, entry, _ in STREAMS}
    check(allocated["engine-blocking"] > 0 and allocated["stream_direct"] > 0, "what each allocates is told", str(allocated))
    if LONG:
        stream_times(entries, clock)


# Bytes only: times of two runs are not held against each other.
def temporaries(entries, without):
    said = rules_of(entries, "receive_chunks").get("temporary-utf8")
    check(said, "strings read in abi3 of 3.9 are advised on: temporary-utf8", f"only {sorted(rules_of(entries, 'receive_chunks'))}")
    check(not rules_of(without, "receive_chunks"), "without abi3 they are not", f"{sorted(rules_of(without, 'receive_chunks'))}")
    if not said:
        return
    now, then = figures(entries, "receive_chunks", "from_python"), figures(without, "receive_chunks", "from_python")
    check(near(said["saves_bytes"], now[0] - then[0], 0.2), "no temporaries: the bytes saved, within 20 %",
          f"{said['saves_bytes']:.0f}, it saved {now[0] - then[0]:.0f}")


def leak(entries, times, size):
    retained = entries["send_pythonize"]["to_python"]["retained"]["value"]
    check(abs(retained - times * size) <= 0.1 * times * size + 1e5,
          "a forgotten handle shows as retained" if times else "without one next to nothing is",
          f"{retained:.0f}, not {times * size}")


def main():
    with open(sys.argv[1]) as file:
        entries = entries_of(json.load(file))
    what = sys.argv[2]
    if what in ("spans", "streams"):
        with open(sys.argv[3]) as file:
            clock = json.load(file)
        (spans if what == "spans" else streams)(entries, clock)
    elif what == "advice":
        advice(entries)
    elif what == "temporaries":
        with open(sys.argv[3]) as file:
            temporaries(entries, entries_of(json.load(file)))
    else:
        leak(entries, int(sys.argv[3]), int(sys.argv[4]))


main()
