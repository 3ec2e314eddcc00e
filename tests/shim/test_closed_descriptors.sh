#!/bin/bash
# SPDX-License-Identifier: MIT
# A program that closes all descriptors and opens its own files as 0, 1 and 2: nothing of ours gets
# into them, not even the closing line, and recording goes on.
. "$(dirname "$0")/../lib.sh"

export KPROF_QUIET=0
printf 'mine\n' > expected
for way in closefrom close_range loop; do
    db=$TMP/$way.db
    mkdir $way
    KPROF_RATE=1 shim "$db" "$T/closer" $way "$TMP/$way" > out.txt 2>&1
    assert_eq "the program ends well [$way]" 0 $?
    for n in 0 1 2; do
        assert_same_file "descriptor $n is a data file and holds only data [$way]" expected "$TMP/$way/data$n"
    done
    assert_whole "$way" "$db"
    assert_eq "what is allocated afterwards is recorded, in the child as well [$way]" "4000|492000" \
        "$(under "$db" blocks_after_close live_count)|$(under "$db" blocks_after_close live_bytes)"
done
