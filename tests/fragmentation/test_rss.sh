#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 100
# long-limit: 300
# At least 95 % of the RSS of real programs is explained: a native program with threads and an asyncio
# service; in long mode also numpy, polars (an allocator of its own: named, with its bytes) and
# gunicorn's workers.
. "$(dirname "$0")/lib_heap.sh"
HERE=$ROOT/tests/fragmentation
PYTHON=${KPROF_TEST_PYTHON:-$READER}

explained() # label
{
    assert_range "at least 95 % of RSS is explained [$1]" 0.95 1 \
        "$(heap '1 - j["rss"]["unexplained"] / j["rss"]["total"]')"
    assert_range "and no more than there is [$1]" 0.999 1.05 \
        "$(heap 'sum(v for k, v in j["rss"].items() if k != "total") / j["rss"]["total"]')"
}

check() # label, command...
{
    heap_of "$1.db" "${@:2}" && explained "$1"
}

with_packages() # label, requirement, script
{
    local place
    place=$("$ROOT/tests/venv.sh" "$PYTHON" "heap-$1" "$2" 2> venv.err) ||
        { skip "$1" "cannot be installed: $(tail -1 venv.err | head -c 200)"; return 1; }
    check "$1" timeout 100 "$place/bin/python" "$3"
}

seq 300000 > numbers
check sort sort -R -S 20M --parallel=2 numbers -o sorted
need "an asyncio service" "$PYTHON" && check asyncio "$PYTHON" "$HERE/service.py"
[ "$LONG" = 1 ] || exit 0
with_packages numpy numpy "$HERE/arrays.py"
if with_packages polars polars "$HERE/frames.py"; then
    "$REPORT" polars.db --json > heap.json
    assert_match "polars is named as opaque" polars "$(heap 'j["opaque"][0]["module"]')"
    assert_match "with its allocator" jemalloc "$(heap 'j["opaque"][0]["reason"]')"
    assert_range "and its bytes" 5 1000 "$(heap 'j["opaque"][0]["bytes"] / 1e6')"
fi

gunicorn()
{
    local place server
    place=$("$ROOT/tests/venv.sh" "$PYTHON" gunicorn 'gunicorn==23.0.0' 2> venv.err) ||
        { skip gunicorn "cannot be installed: $(tail -1 venv.err | head -c 200)"; return; }
    cd "$ROOT/tests/python_real" || return
    LD_PRELOAD=$SHIM KPROF_DB=$TMP/web.db "$place/bin/gunicorn" --workers 2 --bind "unix:$TMP/web" \
        --log-file "$TMP/log" web:application > "$TMP/out" 2>&1 &
    server=$!
    cd "$TMP" || return
    timeout 100 "$PYTHON" "$ROOT/tests/python_real/ask.py" "$TMP/web" 200 > answers 2>&1
    kill -TERM $server
    wait $server 2> /dev/null
    settle web.db
    for pid in $(sql web.db "SELECT pid FROM process WHERE argv LIKE '%gunicorn%' ORDER BY id DESC LIMIT 2"); do
        "$REPORT" web.db fragmentation --process "$pid" --json > heap.json
        explained "gunicorn worker"
    done
}
gunicorn
