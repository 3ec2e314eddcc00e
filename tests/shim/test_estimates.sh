#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# long-limit: 600
# Through the whole chain: processes with two threads and frees, sampled; the 95 % intervals of
# bytes, blocks and live bytes that kprof-report gives hold the truth of a library in front of ours
# in 93 to 97 of 100 (with 100 processes a mix the check is as wide as chance makes it in twelve of them: 84 to 100).
. "$(dirname "$0")/../lib.sh"

processes=100 low=0.84 high=1
[ "$LONG" = 1 ] && processes=1000 low=0.93 high=0.97
for mix in 0 1 2 3; do
    db=$TMP/$mix.db
    rm -f truth.log
    TRUTH_LOG=$TMP/truth.log LD_PRELOAD=$T/lib/truth.so:$SHIM KPROF_DB=$db KPROF_RATE=4K \
        "$T/seeds" $mix $processes > out.txt 2> err.txt
    assert_eq "it ends well [mix $mix]" 0 $?
    assert_whole "mix $mix" "$db"
    "$BUILD/tools/show_truth" truth.log > truth.txt
    "$REPORT" "$db" processes --json > got.json
    python3 - > covered.txt << 'END'
import json
truth = {int(r[0]): [int(x) for x in r[1:4 + 1]] for r in (l.split("|") for l in open("truth.txt"))}
rows = [p for p in json.load(open("got.json"))["processes"] if p["origin"] == "fork"]
for name, column in (("allocated", 1), ("count", 0), ("live", 3)):
    inside = [p[name]["low"] <= truth[p["pid"]][column] <= p[name]["high"] for p in rows]
    print(name, len(inside), sum(inside) / len(inside))
END
    while read -r name seen share; do
        assert_eq "every process is there [mix $mix, $name]" $processes "$seen"
        assert_range "95 % intervals hold the truth [mix $mix, $name]" $low $high "$share"
    done < covered.txt
done
