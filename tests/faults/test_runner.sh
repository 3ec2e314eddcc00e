#!/bin/bash
# SPDX-License-Identifier: MIT
# The runner itself: a test that fails, says nothing, crashes, does not end or leaves a process behind
# counts as a failure; a skip and a pass do not.
. "$(dirname "$0")/../lib.sh"

mkdir -p tree/tests/x
cp "$ROOT/tests/run" tree/tests/
try() # what, passed, failed, body of the test
{
    printf '#!/bin/bash\n%s\n' "$4" > tree/tests/x/test_it.sh
    chmod +x tree/tests/x/test_it.sh
    env -u KPROF_TEST_TMP KPROF_TEST_BUILD="$TMP/tree" tree/tests/run > out.txt 2>&1
    local status=$?
    assert_eq "$1" "$(($3 > 0))|$2 passed, $3 failed" "$status|$(tail -1 out.txt)"
}
try "a test that passes" 2 0 'echo "ok - a"; echo "ok - b"'
try "a test that fails" 1 1 'echo "ok - a"; echo "not ok - b: why"'
try "a test that is skipped is no failure" 0 0 'echo "skip - a: no such thing here"'
try "a test that says nothing is a failure" 0 1 'exit 0'
try "a test that ends with an error is a failure" 1 1 'echo "ok - a"; exit 3'
try "a test that crashes is a failure" 1 1 'echo "ok - a"; kill -SEGV $$'
try "a test that does not end is a failure" 1 1 '# limit: 1
echo "ok - a"; sleep 60'
try "a test that leaves a process behind is a failure" 1 1 'echo "ok - a"; setsid sleep 60 > /dev/null 2>&1 &'
rm tree/tests/x/test_it.sh
KPROF_TEST_BUILD=$TMP/tree tree/tests/run > out.txt 2>&1
assert_eq "no test at all is a failure" "1|0 passed, 1 failed" "$?|$(tail -1 out.txt)"
