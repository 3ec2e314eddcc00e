#!/bin/bash
# SPDX-License-Identifier: MIT
# Labels of stripped Rust code against the truth: a library that rustc builds here is compared with
# its unstripped twin, and a wheel from PyPI is recorded while it validates JSON.
# limit: 240
. "$(dirname "$0")/../lib.sh"
NAME=$BUILD/tools/name_functions
PATH=$PATH:${HOME:-}/.cargo/bin

twins() # label, flags...: builds the library and its stripped twin, and compares them
{
    local what=$1 labels right lines lines_right
    shift
    if ! rustc --edition 2021 --crate-type cdylib --crate-name twin -g "$@" -o full.so \
        "$ROOT/tests/symbols/twin/twin.rs" 2> rustc.err || ! strip -o twin.so full.so; then
        skip "labels name the right source [$what]" "rustc cannot build it: $(tail -1 rustc.err)"
        return
    fi
    read -r labels right lines lines_right \
        < <(python3 "$ROOT/tests/symbols/compare_twins.py" "$NAME" full.so twin.so)
    assert_range "there are labels [$what: ${labels:-0}, ${lines:-0} with a line]" 200 1000000 "$labels"
    assert_range "a label's file has code in the function [$what]" 0.97 1 \
        "$(awk "BEGIN { print ${right:-0} / (${labels:-0} + 0.0001) }")"
    assert_range "a label with a line is in the chain of inlined calls [$what]" 0.95 1.01 \
        "$(awk "BEGIN { print ${lines_right:-0} / (${lines:-0} + 0.0001) }")"
}

wheel() # fetches pydantic into ./site; false when there is none to be had
{
    timeout 150 python3 -m pip install --quiet --disable-pip-version-check --target site \
        --only-binary :all: pydantic > pip.out 2>&1
}

record_wheel()
{
    local what="every frame of a wheel has a name, a file or a label" db=$TMP/wheel.db bytes
    PYTHONPATH=$TMP/site KPROF_RATE=1 shim "$db" python3 "$ROOT/tests/symbols/validate.py" > said 2>&1
    settle "$db" || { not_ok "$what" "$(cat "$db.said")"; return; }
    bytes=$(sql "$db" "WITH RECURSIVE up(site, stack) AS (
            SELECT id, stack_id FROM site WHERE kind IN ('malloc', 'new', 'mmap', 'object', 'mem')
            UNION ALL SELECT site, parent_id FROM up JOIN stack ON stack.id = up.stack
            WHERE parent_id <> 0),
        frames AS (SELECT site, f.function FROM up JOIN stack s ON s.id = up.stack
            JOIN location l ON l.id = s.location_id JOIN module m ON m.id = l.module_id
            JOIN frame f ON f.location_id = l.id WHERE m.path LIKE '%/_pydantic_core.%'),
        judged AS (SELECT site, max(function LIKE '%.so+0x%' OR function IN ('', '??')) AS bad
            FROM frames GROUP BY site)
        SELECT count(*), sum(allocated_bytes),
            1.0 * sum(CASE WHEN bad THEN 0 ELSE allocated_bytes END) / sum(allocated_bytes)
        FROM judged JOIN site ON site.id = judged.site")
    IFS='|' read -r sites all share <<< "$bytes"
    assert_range "$what [$sites sites, $all bytes, share]" 0.99 1 "$share"
}

if need "labels name the right source" rustc strip nm objdump python3; then
    twins "optimised" -C opt-level=3 -C symbol-mangling-version=v0
    twins "one unit, fat LTO" -C opt-level=3 -C codegen-units=1 -C lto=fat
fi
if wheel; then
    core=$(echo site/pydantic_core/_pydantic_core.*.so)
    said=$("$NAME" "$core")
    assert_range "most functions of a stripped wheel have a name or a label" 0 12 \
        "$(echo "$said" | awk '/module\+0xoffset/ { n = $2 } END { print n + 0 }')"
    assert_range "labels are cheap, seconds" 0 1 \
        "$(echo "$said" | sed -n '1s/.*, \([0-9.]*\) s$/\1/p')"
    record_wheel
else
    skip "every frame of a wheel has a name, a file or a label" "pip cannot fetch one: $(tail -1 pip.out)"
fi
