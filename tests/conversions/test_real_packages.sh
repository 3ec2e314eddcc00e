#!/bin/bash
# SPDX-License-Identifier: MIT
# long-limit: 1500
# Packages from PyPI with a core in Rust or Cython: their own tests, from their source archives, end
# as without kprof, test by test. In long mode.
. "$(dirname "$0")/lib_conversions.sh"
[ "$LONG" = 1 ] || { skip "tests of real packages" "in long mode (make check-long)"; exit 0; }
python=${KPROF_TEST_PYTHON:-/usr/bin/python3}

# The outcome of each test, in order of name.
outcomes() # directory, tests in it, command...
{
    local folder=$1 tests=$2
    shift 2
    (cd "$folder" && "$@" -m pytest -p no:cacheprovider -p no:randomly -o addopts= -q -rA --no-header "$tests" < /dev/null 2>&1) |
        sed -nE 's/^(PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS) ([^ ]+).*/\1 \2/p' | sort
}

package() # name, version, tests in its source archive, what they need...
{
    local name=$1 version=$2 tests=$3 venv source
    shift 3
    venv=$("$ROOT/tests/venv.sh" "$python" "real-$name" "$name==$version" pytest==8.3.5 "$@" 2> venv.err) ||
        { skip "the tests of $name" "cannot be installed: $(tail -1 venv.err | head -c 200)"; return; }
    "$venv/bin/pip" download -q --no-deps --no-binary "$name" -d "$name-source" "$name==$version" > source.err 2>&1
    source=$(find "$name-source" -name '*.tar.gz' 2> /dev/null | head -1)
    [ -n "$source" ] || { skip "the tests of $name" "no source archive: $(tail -1 source.err | head -c 200)"; return; }
    # Only the tests: what is tested is the wheel.
    mkdir -p "$name-tests" && tar -xzf "$source" -C "$name-tests" --strip-components 1 --wildcards "*/$tests/*"
    outcomes "$name-tests" "$tests" "$venv/bin/python" > plain.txt
    outcomes "$name-tests" "$tests" shim "$TMP/$name.db" "$venv/bin/python" > with.txt
    assert_range "$name has tests that pass" 50 1000000 "$(grep -c ^PASSED plain.txt)"
    assert_same_file "the tests of $name end as without kprof ($(lines_of plain.txt) of them)" plain.txt with.txt
    settle "$TMP/$name.db"
    assert_range "and conversions of $name were counted" 100 1e15 "$(sql "$TMP/$name.db" \
        "SELECT coalesce(sum(conversions), 0) FROM v_conversions WHERE module LIKE '%${name//-/%}%' OR module LIKE '%${name%%-*}%'")"
}

package rpds-py 0.27.1 tests
package orjson 3.11.4 test
package frozenlist 1.7.0 tests
