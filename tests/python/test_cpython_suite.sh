#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 1100
# long-limit: 7200
# CPython's own tests end the same under the library as without: a statically linked interpreter and
# a shared one, or all of them (make check-pythons). They mostly sleep, so both ways run at the same
# time. What differs is run again, one way after the other, twice at the most, as some of these tests
# fail now and then by themselves. cpython_known.txt has what is known to differ.
#
# make check-pythons keeps the result of each module, by interpreter and library, in the build folder:
# a run that was stopped, or ended itself after KPROF_TEST_SECONDS, goes on where it was.
. "$(dirname "$0")/lib_python.sh"
export PYTHONDONTWRITEBYTECODE=1
module_limit=300 jobs=2 kept=$TMP/kept
[ "$LONG" = 1 ] && jobs=1 kept=$BUILD/cpython-suite
library=$(cat "$SHIM" "$BUILD/kprof-collect" | cksum | cut -d' ' -f1)

modules_of() # path: those of the list that this version has
{
    local tests name names
    tests=$("$1" -I -c 'import test, os; print(os.path.dirname(test.__file__))' 2>/dev/null) || return 1
    [ -e "$tests/test_json" ] || return 1
    sed '/^#/d' "$HERE/cpython_modules.txt" | while read -r name; do
        case $name in
        long\ *) [ "$LONG" = 1 ] || continue; name=${name#long } ;;
        esac
        for names in ${name//|/ }; do
            if [ -e "$tests/$names.py" ] || [ -e "$tests/$names" ]; then echo "$names"; break; fi
        done
    done
}

run_module() # result, path, module, command to start it with...: in a folder of its own, with a short name for sockets
{
    local folder
    folder=$(mktemp -d "$TMP/XXXX")
    (cd "$folder" && TMPDIR=$folder "${@:4}" timeout -s INT -k 10 "$module_limit" nice -n 5 "$2" -m test \
        --timeout "$module_limit" --ignorefile "$HERE/cpython_ignored.txt" --junit-xml "$1.xml.new" "$3" \
        > "$1.log.new" 2>&1 < /dev/null)
    [ ! -e "$1.xml.new" ] || mv "$1.xml.new" "$1.xml"
    mv "$1.log.new" "$1.log"
    rm -rf "$folder"
}

# A busy machine has both ways and other tests: room for what the collector has yet to take.
run_preloaded() # result, path, module
{
    local db
    db=$(mktemp -d "$TMP/XXXX")/x.db
    KPROF_SPOOL_MAX=2G KPROF_RATE=4K run_module "$1" "$2" "$3" shim "$db"
    wait_for 60 test ! -e "$db-spool" # some of them leave a program behind that sleeps for seconds
    assert_whole "$3 of CPython's own tests" "$db" > "$1.whole"
    rm -rf "$(dirname "$db")"
}

both_ways() # number of the run, path, module
{
    local preloaded=$preloaded/$3.$1 plain=$plain/$3.$1 other=
    [ -e "$plain.log" ] || { run_module "$plain" "$2" "$3" & other=$!; }
    [ "$1" = 0 ] || wait $other
    [ -e "$preloaded.whole" ] || run_preloaded "$preloaded" "$2" "$3"
    wait $other
}

each_module() # number of the run, path, module...: false when there is no time left
{
    local module running=0
    for module in "${@:3}"; do
        [ "$SECONDS" -lt "${KPROF_TEST_SECONDS:-7000}" ] || { wait; return 1; }
        if [ $running -ge $jobs ]; then wait -n; running=$((running - 1)); fi
        both_ways "$1" "$2" "$module" &
        running=$((running + 1))
    done
    wait
}

verdict() # label
{
    local what bad
    if what=$("$PY" "$HERE/compare_suite.py" "$plain" "$preloaded" verdict); then
        ok "CPython's own tests: $what [$1]"
    else
        not_ok "CPython's own tests end the same with the library [$1]" "$what"
    fi
    bad=$(cat "$preloaded"/*.whole | grep -v '^ok - ')
    assert_eq "each of their $(cat "$preloaded"/*.whole | wc -l) databases is whole, nothing lost [$1]" "" "$bad"
}

suite() # label, path
{
    local plain=$kept/${1// /-}/plain preloaded=$kept/${1// /-}/$library modules again
    mapfile -t modules < <(modules_of "$2")
    [ ${#modules[@]} -gt 0 ] || { skip "CPython's own tests [$1]" "it came without them"; return; }
    mkdir -p "$plain" "$preloaded"
    for again in 0 1 2; do
        each_module "$again" "$2" "${modules[@]}" ||
            { skip "CPython's own tests [$1]" "no time left; what has ended is kept, start it again"; return; }
        mapfile -t modules < <("$PY" "$HERE/compare_suite.py" "$plain" "$preloaded")
        [ ${#modules[@]} -gt 0 ] || break
        echo "# again: ${modules[*]} [$1]" >&2
    done
    verdict "$1"
}

if [ "$LONG" = 1 ]; then
    skip_missing_pythons "CPython's own tests"
    each_python suite
else
    for kind in static shared; do
        IFS=$'\t' read -r label path < <(pick_python "3\.11\..* $kind") ||
            IFS=$'\t' read -r label path < <(pick_python ".* $kind") ||
            { skip "CPython's own tests [$kind]" "no such Python here; make pythons fetches some"; continue; }
        suite "$label" "$path"
    done
fi
