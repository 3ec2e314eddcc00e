#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that give up root: one that does so by itself goes on being recorded, with its children;
# one that is started by another user can't write the recording any more: it runs as ever, says so in
# one line and leaves no database of its own anywhere.
. "$(dirname "$0")/../lib.sh"

need "programs that give up root" setpriv python3 || exit 0
if [ "$(id -u)" != 0 ]; then skip "programs that give up root" "only root has it to give"; exit 0; fi
PYTHON=$(readlink -f /usr/bin/python3)
chmod 755 .
mkdir open
chmod 777 open
cp -r "$BUILD/libkprof.so" "$BUILD/kprof-collect" "$T/mix" open/
export SHIM=$TMP/open/libkprof.so # the build may not be readable for everybody

cat > open/drop.py << 'END'
import os, sys
before = bytes(1_000_001)
os.setgroups([]), os.setgid(65534), os.setuid(65534)
after = bytes(2_000_002)
child = os.fork()
if child == 0:
    inside = bytes(3_000_003)
    os._exit(0)
os.waitpid(child, 0)
print(os.getuid(), len(before) + len(after))
END
KPROF_RATE=1 shim "$TMP/drop.db" "$PYTHON" open/drop.py > out.txt 2> err.txt
assert_eq "a program that becomes another user does what it did" "0|65534 3000003" "$?|$(cat out.txt)"
assert_eq "it says nothing of it" 0 "$(lines_of err.txt)"
assert_whole "a program that becomes another user" "$TMP/drop.db"
assert_eq "what it and its child allocate then is recorded" "1|1|1" "$(sql "$TMP/drop.db" "SELECT group_concat(n, '|') FROM (
    SELECT sum(allocated_bytes BETWEEN 1000001 AND 1000100) AS n FROM site UNION ALL
    SELECT sum(allocated_bytes BETWEEN 2000002 AND 2000100) FROM site UNION ALL
    SELECT sum(allocated_bytes BETWEEN 3000003 AND 3000100) FROM site)")"

cd open || exit
KPROF_RATE=1 shim "$TMP/started.db" sh -c "$TMP/open/mix 1 3000; setpriv --reuid=65534 --regid=65534 --clear-groups \
    sh -c '$TMP/open/mix 1 3000; $TMP/open/mix 1 3000'; $TMP/open/mix 1 3000" > ../out.txt 2> ../err.txt
status=$?
cd ..
assert_eq "programs of another user run as ever" "0|8" "$status|$(grep -c '^ok' out.txt)"
assert_eq "one line says that they are not recorded" 1 "$(grep -c 'another user' err.txt)"
assert_eq "and nothing else is said" 1 "$(lines_of err.txt)"
assert_whole "what root did" "$TMP/started.db"
assert_eq "what root's programs did before and afterwards is there" 12000 \
    "$(sql "$TMP/started.db" 'SELECT count(*) FROM sample WHERE size = 150')"
assert_eq "nobody has made a database of his own" "" "$(find "$TMP" -name '*.db*' ! -path "$TMP/drop.db*" ! -path "$TMP/started.db*")"
