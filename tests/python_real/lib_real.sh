# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# For tests with real Python programs: which Python, virtual environments, and what a tree of
# processes must look like in the database.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
REAL=$ROOT/tests/python_real
PYTHON=${KPROF_TEST_PYTHON:-/usr/bin/python3}
[ -x "$PYTHON" ] || PYTHON=python3
export PYTHONPATH=$REAL:$ROOT/python PYTHONDONTWRITEBYTECODE=1

venv() # name, requirement...: sets VENV, or says why not and fails
{
    VENV=$("$ROOT/tests/venv.sh" "$PYTHON" "$@" 2> "$TMP/venv.err") ||
        { skip "$1" "cannot be installed: $(tail -1 "$TMP/venv.err" | head -c 200)"; return 1; }
}

kept() # database, Python function, pid or '': live blocks and bytes of what it made, of 10,000 bytes and more
{
    sql "$1" "WITH RECURSIVE below(id) AS (
        SELECT s.id FROM stack s JOIN frame f ON f.location_id = s.location_id WHERE f.lang = 'python' AND f.function = '$2'
        UNION SELECT s.id FROM stack s JOIN below b ON s.parent_id = b.id)
        SELECT printf('%d %d', total(live_count), total(live_bytes)) FROM site JOIN process p ON p.id = process_id
        WHERE stack_id IN (SELECT id FROM below) AND live_bytes >= 10000 * live_count AND kind <> 'arena'
        ${3:+AND pid = $3}"
}

ended() # database: nothing of what was recorded is running any more
{
    settle "$1" && [ "$(sql "$1" 'SELECT finished FROM session')" = 1 ]
}

unnamed() # database: processes without arguments or Python without its version
{
    sql "$1" "SELECT count(*) FROM process WHERE argv IN ('', '[]') OR exe = '' OR (exe LIKE '%python%' AND python = '')"
}
