# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is for the scripts
# For the tests with examples/pyo3-engine: its builds, and a run of it with what the report says.
. "$(dirname "${BASH_SOURCE[0]}")/lib_conversions.sh"
EXAMPLE=$ROOT/examples/pyo3-engine

need_engine() # what for, build
{
    [ -e "$BUILD/examples/pyo3-engine/$2/pyo3_engine.so" ] ||
        { skip "$1" "examples/pyo3-engine is not built: no cargo, or it could not get the crates"; return 1; }
}

report_on() # folder of the extension, interpreter, program...: report.json and out.txt
{
    local folder=$1 python=$2
    shift 2
    rm -f engine.db*
    PYTHONPATH=$folder shim "$TMP/engine.db" "$python" "$@" > out.txt 2> err.txt < /dev/null ||
        not_ok "the program runs" "$(tail -3 err.txt)"
    "$REPORT" engine.db conversions --json > report.json 2> report.err || not_ok "the report" "$(cat report.err)"
}

# The machine has other things to do: what is timed may be disturbed, and is tried again.
attempts() # how many, function that prints its lines...
{
    local left=$1
    shift
    until "$@" > lines.txt && ! grep -q "^not ok" lines.txt; do
        left=$((left - 1))
        [ $left -gt 0 ] || break
    done
    cat lines.txt
}

known_calls_are_exact() # label, folder, interpreter, times, threads (0: none but the main one)
{
    local times=$4 all=$(($4 * ($5 > 0 ? $5 : 1)))
    report_on "$2" "$3" "$CONVERSIONS/known_calls.py" "$times" "$5"
    assert_eq "the calls of known records are counted to the unit [$1, $times times, $5 threads]" \
        "$((2 * all)) $((9 * all)) $((2 * all)) $((14 * all)) $all $((300 * all))" \
        "$(python3 -c '
import json
rows = [r for r in json.load(open("report.json"))["entries"] if r["entry"].endswith("send_known") and r["direction"] == "to_python"]
apis = ("PyDict_New", "PyDict_SetItem", "PyList_New", "PyUnicode_FromStringAndSize", "PyBytes_FromStringAndSize")
print(*(sum(r["by_api"][api]["calls"] for r in rows) for api in apis), sum(r["by_api"][apis[4]]["bytes"] for r in rows))')"
}
