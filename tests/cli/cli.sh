# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the tests of the command line: databases from SQL, and output that is compared to the letter
# with expected/NAME. KPROF_TEST_WRITE=1 writes the files instead: read them before you commit.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
CLI=$ROOT/tests/cli
export RUN=$BUILD/kprof-run
unset COLUMNS

fixture() # name, database, SQL to add...: a database from fixtures/NAME.sql
{
    local name=$1 db=$2
    shift 2
    rm -f "$db"
    { cat "$ROOT/analyzer/schema.sql" "$CLI/fixtures/$name.sql"; printf '%s;\n' "$@"; } | sqlite3 "$db" ||
        not_ok "the fixture $name can be made" "sqlite3 failed"
}

expect() # what, file in expected/, command...: its output, stderr behind stdout, and its exit status
{
    local what=$1 file=$CLI/expected/$2
    shift 2
    { "$@" 2> stderr.txt; echo "exit status $?"; sed 's/^/stderr: /' stderr.txt; } > output.txt
    if [ "${KPROF_TEST_WRITE:-0}" = 1 ]; then
        cp output.txt "$file"
        echo "skip - $what: written"
        return
    fi
    assert_same_file "$what" "$file" output.txt
}

refuse() # what, exit status, stderr as an extended regular expression, command...
{
    local what=$1 status=$2 message=$3 actual
    shift 3
    "$@" > stdout.txt 2> stderr.txt < /dev/null
    actual=$?
    if [ "$actual" != "$status" ]; then
        not_ok "$what" "exit status $actual, stderr $(cat stderr.txt)"
    elif [ "$(lines_of stderr.txt)" != 1 ]; then
        not_ok "$what" "not one line: $(cat stderr.txt)"
    elif [ -s stdout.txt ]; then
        not_ok "$what" "stdout says $(head -2 stdout.txt)"
    elif ! grep -qE -- "$message" stderr.txt; then
        not_ok "$what" "no '$message' in '$(cat stderr.txt)'"
    else
        ok "$what"
    fi
}
