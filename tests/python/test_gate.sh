#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 60
# What stands beside a statically linked interpreter: code that nobody can write, below the image and
# out of the way of the heap; and where the system allows no new code, all is counted without it.
. "$(dirname "$0")/lib_python.sh"

python=$(readlink -f /usr/bin/python3)
[[ $(python_label "$python") == *static ]] ||
    { skip "the code beside the interpreter" "no statically linked Python here"; exit; }

cat > "$TMP/program.py" <<'PROGRAM'
import ctypes, os, sys
if sys.argv[1] == "refuse":  # prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)
    done = ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0
    os.execv(sys.executable, [sys.executable, sys.argv[0], "refused" if done else "unknown"])
kept = [(number, str(number)) for number in range(20000)]
rows = [line.split() for line in open("/proc/self/maps")]
image = next(number for number, row in enumerate(rows) if row[-1] == os.path.realpath(sys.executable))
pages = [row for row in rows[:image] if "x" in row[1]]
print(sys.argv[1], bool(pages), sum("w" in row[1] and "x" in row[1] for row in rows), len(kept))
PROGRAM

run() # allow or refuse
{
    shim "$TMP/$1.db" "$python" "$TMP/program.py" "$1" 2>&1
}

counted() # database: are the 40,000 objects in it that the program has made?
{
    settle "$TMP/$1.db"
    sql "$TMP/$1.db" "select sum(allocated_count) >= 40000 from site where kind = 'object'"
}

export KPROF_RATE=1 KPROF_QUIET=1
assert_eq "code below the image, none that can be written" "allow True 0 20000" "$(run allow)"
assert_eq "its objects are counted" 1 "$(counted allow)"
result=$(run refuse)
case $result in
unknown*) skip "where the system refuses new code there is no such code" "this kernel can't refuse it" ;;
*) assert_eq "where the system refuses new code there is no such code" "refused False 0 20000" "$result"
    assert_eq "its objects are counted there too" 1 "$(counted refuse)" ;;
esac
