#!/bin/bash
# SPDX-License-Identifier: MIT
# Entries that do not return (a longjmp past them, a thread that ends in them), that call themselves
# through Python, and a file that is imported under two names: the program runs as without, every
# call is counted where it was made, and the time of a recursion is counted once.
. "$(dirname "$0")/lib_conversions.sh"

cat > left.py << 'PY'
import _thread
import importlib.util
import os
import sys
import time
import leftmod

leftmod.leaps(1000)
for _ in range(20):
    _thread.start_new_thread(leftmod.vanish, ())
deadline = time.time() + 30
while len(os.listdir("/proc/self/task")) > 1 and time.time() < deadline:
    time.sleep(0.01)

def bottom(depth):
    if depth >= 0:
        return leftmod.descend(bottom, depth)
    time.sleep(0.1)
    return depth

began = time.perf_counter()
leftmod.descend(bottom, 30)
took = time.perf_counter() - began
spec = importlib.util.spec_from_file_location("othername", leftmod.__file__)
other = importlib.util.module_from_spec(spec)
spec.loader.exec_module(other)
other.leaps(10)
print(other.__name__, took, file=sys.stderr)
print("the end")
PY

left_on() # label, path
{
    local folder=$TMP/left-${2//\//-} include
    include=$("$2" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
    mkdir -p "$folder"
    ${CC:-cc} -std=gnu11 -O2 -fPIC -shared -pthread -fno-plt -Wl,-z,now -isystem "$include" -idirafter "$(dirname "$include")" \
        -o "$folder/leftmod.so" "$CONVERSIONS/leftmod.c" 2> left.log || { skip "entries that are left [$1]" "the extension cannot be built"; return; }
    rm -f left.db*
    assert_eq "the program runs [$1]" "the end" "$(PYTHONPATH=$folder KPROF_QUIET=1 shim "$TMP/left.db" "$2" left.py 2> took.txt)"
    settle left.db
    assert_eq "entries that never return are counted [$1]" "1010 1010" \
        "$(calls_of left.db method leap entry_calls) $(calls_of left.db method leap PyDict_New)"
    assert_eq "the list that was made behind them, for one of the two [$1]" 2 "$(calls_of left.db method 'leap%' PyList_New)"
    assert_eq "so are threads that ended in an entry [$1]" "20 20" \
        "$(calls_of left.db method vanish entry_calls) $(calls_of left.db method vanish PyDict_New)"
    assert_eq "and a recursion [$1]" "31 31" "$(calls_of left.db method descend entry_calls) $(calls_of left.db method descend PyDict_New)"
    assert_range "whose time is counted once [$1]" 0.1 "$(awk '/othername/ { print 2 * $2 }' took.txt)" \
        "$(sql left.db "SELECT sum(total_s) FROM activation JOIN entry USING (process_id, entry) WHERE name = 'descend'")"
}
each_python left_on minors
