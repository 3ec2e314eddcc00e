#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 400
# long-limit: 3600
# pytest --kprof: finds the leaks of a small suite and nothing else, run after run; is polite to
# tests that fail, skip, crash or are run by other plugins; says what is missing. The suite is in
# suite/, the tests of its manners are in manners/.
. "$(dirname "$0")/../python/lib_python.sh"
PLUGIN=$ROOT/tests/pytest_plugin
PYTEST_WANTED=(pytest==8.3.4 pytest-xdist==3.6.1 pytest-asyncio==0.25.0)

VENV=$("$ROOT/tests/venv.sh" "$PY" pytest "${PYTEST_WANTED[@]}" 2> venv.err) ||
    { skip "pytest --kprof" "pytest cannot be installed: $(tail -1 venv.err | head -c 200)"; exit 0; }
EXTENSION=$(extension_for "$PY" "$ROOT/tests/leak_kinds/kinds.c") ||
    { skip "pytest --kprof" "the extension cannot be built"; exit 0; }
export PYTHONPATH=$ROOT/python:$EXTENSION PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore

run_pytest() # folder, argument...: what it says is in said.txt
{
    local folder=$1
    shift
    (cd "$PLUGIN/$folder" && exec timeout 170 "$VENV/bin/python" -m pytest --basetemp="$TMP/tmp" \
        -p no:cacheprovider -o asyncio_default_fixture_loop_scope=function "$@") > said.txt 2>&1 < /dev/null
}

summary() # a line of pytest's short summary: "FAILED test - reason", without the file
{
    grep -E "^(PASSED|FAILED|ERROR|XFAIL|XPASS) .*::$1( |\$)" said.txt | sed 's/ test_[a-z]*\.py::/ /' | sort | tr '\n' ' '
}

expect() # what, test, regular expression
{
    assert_match "$1 [$2]" "^$3" "$(summary "$2")"
}

# The suite, again and again: each run has to say exactly the same.
catches() # number of runs
{
    local run wrong=0 place
    for ((run = 1; run <= $1; run++)); do
        run_pytest suite --kprof --kprof-bin="$BUILD" -n 2 -rA
        place=$(grep -cE '^leaks .* per repeat, at test_planted.py:(11 Session.__init__|12 Session.__init__|23 test_leaks_in_c -> kinds.c:[0-9]+ [a-z_]+);' said.txt)
        [ "$(tail -1 said.txt | grep -oE '[0-9]+ failed, [0-9]+ passed')|$place" = "2 failed, 10 passed|2" ] && continue
        wrong=$((wrong + 1))
        cp said.txt "wrong.$run"
    done
    if [ "$wrong" = 0 ]; then
        ok "the planted leaks are found at their lines and the clean tests pass, in $1 of $1 runs"
    else
        not_ok "the planted leaks are found at their lines and the clean tests pass" "not in $wrong of $1 runs: $(cat wrong.* |
            grep -E '^(FAILED|ERROR|leaks |kprof could|=.*(passed|failed))' | sort | uniq -c | head -20)"
    fi
}
if [ "$LONG" = 1 ]; then catches 50; else catches 2; fi

run_pytest suite -q
assert_match "without --kprof marked tests are tests like any other" '^12 passed' "$(tail -1 said.txt)"
assert_eq "and the mark is known" "" "$(grep -i unknown said.txt)"

run_pytest manners --kprof --kprof-bin="$BUILD" -rA test_scopes.py
expect "a fixture of two tests is set up once" test_first_of_two 'PASSED'
expect "nothing is collected a second time: the tests run in a copy of pytest" test_in_a_copy 'PASSED'
expect "what pytest keeps of a fixture that is asked for at run time is no leak" test_asks_at_run_time 'PASSED'
expect "and its failure at the end is the last one's" test_broken_at_the_end 'ERROR .* - RuntimeError: broken at the end PASSED'

run_pytest manners --kprof --kprof-bin="$BUILD" -n 2 -rA test_manners.py
expect "passes" test_passes 'PASSED'
expect "the nearest mark counts" test_nearer_mark_counts 'PASSED'
expect "a failure is that failure" test_fails 'FAILED .* - assert \[1\] == \[2\]'
expect "a failure in a later repeat" test_fails_later 'FAILED .* - assert 4 < 4'
assert_match "tells which repeat" '^this is repeat 4; nothing can be said about leaks' "$(grep 'repeat 4' said.txt)"
expect "a fixture that fails" test_broken_fixture 'ERROR .* - RuntimeError: broken fixture'
expect "an expected failure" test_expected_failure 'XFAIL'
expect "an unexpected pass" test_unexpected_pass 'XPASS'
expect "a strictly unexpected pass" test_strictly_unexpected_pass 'FAILED'
expect "a leak may be expected" test_expected_leak 'XFAIL .* - known to leak'
expect "also strictly" test_strictly_expected_leak 'XFAIL .* - known to leak'
expect "a leak is no expected exception" test_leak_is_no_key_error 'FAILED .* - leaks [12]\.[0-9]+ KB'
expect "a crash" test_crashes 'FAILED .* - kprof could not check'
assert_match "tells the signal and the repeat" 'killed by SIGSEGV in repeat 3$' "$(grep SIGSEGV said.txt)"
expect "a test that leaves the process" test_exits 'FAILED .* - kprof could not check'
assert_match "tells the status" 'ended with status 7 in repeat 1$' "$(grep 'status 7' said.txt)"
expect "one whose child lives on" test_dies_before_its_child 'FAILED .* - kprof could not check'
assert_match "is not waited for" 'killed by SIGKILL in repeat 1$' "$(grep SIGKILL said.txt)"
expect "sys.exit" test_calls_exit 'FAILED .* - SystemExit: left'
expect "a unittest" 'TestUnit::test_unit' 'PASSED'
assert_eq "parameters with any names" 4 "$(grep -c '^PASSED .*test_names' said.txt)"
expect "a coroutine that leaks" test_async_leak 'FAILED .* - leaks'
assert_eq "skips are skips" 2 "$(grep -cE '^SKIPPED \[1\] .*: not (here|now)$' said.txt)"

# Plugins that set a time limit, or follow a test from its set-up on.
cat > other_plugin.py << 'END'
import signal, pytest
signal.signal(signal.SIGALRM, lambda *_: pytest.fail("out of time"))
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    signal.alarm(4 if "endless" in item.name else 0)
    yield
    signal.alarm(0)
def pytest_runtest_makereport(item, call):
    item.is_set_up = call.when == "setup" or item.is_set_up
END
cat > test_limited.py << 'END'
import time
def test_endless(): time.sleep(60)
def test_behind_it(): pass
END
(cd "$TMP" && PYTHONPATH=$TMP:$PYTHONPATH "$VENV/bin/python" -m pytest -p no:cacheprovider -p other_plugin --kprof-all \
    --kprof-iterations=50 --kprof-bin="$BUILD" -rA test_limited.py) > said.txt 2>&1
expect "a time limit ends all repeats of a test" test_endless 'FAILED .* - kprof could not check this test: out'
expect "and none of the next" test_behind_it 'PASSED'

# What is missing or wrong is told in one line, before the first test.
usage() # what, expected, argument...
{
    local what=$1 expected=$2
    shift 2
    run_pytest manners "$@"
    assert_match "$what" "^4\|ERROR: $expected" "$?|$(grep -m 1 '^ERROR' said.txt)"
}
usage "no kprof: says where it looked and what to do" '--kprof: cannot find kprof-run in /nowhere; install kprof, or say with --kprof-bin' \
    --kprof --kprof-bin=/nowhere
mkdir incomplete && cp "$BUILD/kprof-run" "$BUILD/kprof-report" incomplete/
cat > test_any.py << 'END'
def test_any(): pass
END
(cd "$TMP" && "$VENV/bin/python" -m pytest -p no:cacheprovider --kprof-all --kprof-dir=any --kprof-bin=incomplete test_any.py) > said.txt 2>&1
if [ -e /usr/local/lib/libkprof.so ]; then
    skip "no libkprof.so: what kprof-run says of it" "one is installed"
else
    assert_match "no libkprof.so: what kprof-run says of it" \
        '^kprof could not check this test: kprof-run: cannot find libkprof.so' "$(cat said.txt)"
fi
usage "a size that is none" "--kprof: 'much' is no size; sizes are" --kprof --kprof-below=much --kprof-bin="$BUILD"
usage "a folder that cannot be" '--kprof: cannot write recordings to /proc/nowhere: ' --kprof --kprof-dir=/proc/nowhere --kprof-bin="$BUILD"
cat > test_wrong.py << 'END'
import pytest
@pytest.mark.kprof_leaks(limit="1 B")
def test_wrong(): pass
END
(cd "$TMP" && "$VENV/bin/python" -m pytest -p no:cacheprovider --kprof --kprof-bin="$BUILD" test_wrong.py) > said.txt 2>&1
assert_match "a wrong mark names the test" 'test_wrong.py::test_wrong: kprof_leaks: it takes below= and iterations=' "$(cat said.txt)"
cat > test_none.py << 'END'
def test_none(): pass
END
(cd "$TMP" && "$VENV/bin/python" -m pytest -p no:cacheprovider --kprof --kprof-bin="$BUILD" test_none.py) > said.txt 2>&1
assert_match "a suite without marks is told that nothing was checked" 'no test was checked: mark tests with kprof_leaks' "$(cat said.txt)"

# A recording is kept where it is asked for; a pytest that is recorded itself is no obstacle.
KPROF_QUIET=0 shim "$TMP/outer.db" "$VENV/bin/python" -m pytest -p no:cacheprovider --kprof-all --kprof-iterations=50 \
    --kprof-bin="$BUILD" --kprof-dir=kept test_none.py > said.txt 2>&1
assert_match "pytest may be recorded itself" 'is being recorded itself' "$(cat said.txt)"
assert_match "the test is checked all the same" '^no leak +at most' "$(grep -A 1 'kprof: growth' said.txt | tail -1)"
assert_eq "in a recording of its own, of its repeats" "50|1" \
    "$(sql "$(echo kept/*.db)" "SELECT (SELECT max(iteration) FROM mark), (SELECT count(*) FROM process)")"
# (pytest's start allocates far more than the repeats, and was most of a recording's size and time)
assert_eq "samples are dense in the repeats only" "125|1048576" \
    "$(sql "$(echo kept/*.db)" "SELECT (SELECT rate FROM mark WHERE iteration = 50), rate_max FROM process")"
assert_range "so that there are few" 1 60000 "$(sql "$(echo kept/*.db)" "SELECT samples FROM process")"
assert_whole "the outer recording" "$TMP/outer.db"
assert_eq "has none of them" 0 "$(sql "$TMP/outer.db" 'SELECT count(*) FROM mark')"

# From an installed kprof, without anything but PYTHONPATH.
make -s -C "$ROOT" B="$BUILD" DESTDIR="$TMP/installed" install > install.txt 2>&1 || not_ok "it can be installed" "$(tail -3 install.txt)"
(cd "$TMP" && PYTHONPATH=$TMP/installed/usr/local/share/kprof "$VENV/bin/python" -m pytest -p no:cacheprovider --kprof-all \
    --kprof-iterations=50 test_none.py) > said.txt 2>&1
assert_match "an installed kprof needs nothing but PYTHONPATH" "^kprof: $TMP/installed/usr/local/bin/kprof-run" "$(grep '^kprof:' said.txt)"
assert_match "and checks tests" '^no leak +at most' "$(grep -A 1 'kprof: growth' said.txt | tail -1)"
assert_eq "the metadata has the version of kprof" "$("$REPORT" --version | grep -oE '[0-9.]+$')" \
    "$(sed -n 's/^Version: //p' "$ROOT/python/kprof.dist-info/METADATA")"
assert_eq "so has pyproject.toml" "$("$REPORT" --version | grep -oE '[0-9.]+$')" "$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/python/pyproject.toml")"
