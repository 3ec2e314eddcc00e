#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 900
# long-limit: 5400
# CPython's own tests end the same under the library as without: a statically linked interpreter and
# a shared one, or all of them (make check-pythons). They mostly sleep, so both ways run at the same
# time. What differs is run again, one way after the other, twice at the most, as some of these tests
# fail now and then by themselves. cpython_known.txt has what is known to differ.
. "$(dirname "$0")/lib_python.sh"
export PYTHONDONTWRITEBYTECODE=1

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

run_modules() # folder, junit file, path, module...; in a folder of its own
{
    local folder=$1 file=$2 python=$3
    shift 3
    rm -rf "$folder" && mkdir -p "$folder"
    (cd "$folder" && TMPDIR=$folder timeout -s INT -k 10 "$run_limit" "$python" -m test -j2 --timeout 300 \
        --ignorefile "$TMP/ignore" --junit-xml "$file" "$@" > "$file.log" 2>&1 < /dev/null)
}

both_ways() # number of the run, path, module...
{
    run_modules "$base-a" "$base-plain-$1.xml" "${@:2}" &
    [ "$1" = 0 ] || wait
    # A machine that is busy with both and other tests: room for what the collector has yet to take.
    KPROF_SPOOL_MAX=2G KPROF_RATE=4K shim "$base-$1.db" run_modules "$base-b" "$base-preloaded-$1.xml" "${@:2}"
    wait
}

suite() # label, path
{
    local label=$1 base=$TMP/suite-${1// /-} plain preloaded modules again
    # shellcheck disable=SC2207 # names of modules
    modules=($(modules_of "$2")) || { skip "CPython's own tests [$label]" "it came without them"; return; }
    cat "$HERE"/cpython_hanging.txt > "$TMP/ignore"
    [ "$LONG" = 1 ] || cat "$HERE"/cpython_slow.txt >> "$TMP/ignore"
    for again in 0 1 2; do
        both_ways "$again" "$2" "${modules[@]}"
        plain=${plain:+$plain,}$base-plain-$again.xml preloaded=${preloaded:+$preloaded,}$base-preloaded-$again.xml
        # shellcheck disable=SC2207
        modules=($("$PY" "$HERE/compare_suite.py" "$plain" "$preloaded"))
        [ ${#modules[@]} -gt 0 ] || break
        echo "# again: ${modules[*]} [$label]" >&2
    done
    if verdict=$("$PY" "$HERE/compare_suite.py" "$plain" "$preloaded" verdict); then
        ok "CPython's own tests: $verdict [$label]"
    else
        not_ok "CPython's own tests end the same with the library [$label]" "$verdict"
    fi
    for again in "$base"-[012].db; do assert_whole "CPython's own tests, $label" "$again"; done
}

run_limit=300
[ "$LONG" = 1 ] && run_limit=1200
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
