#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# long-limit: 900
# Programs that are hard on whoever reads Python's stacks: threads and forks, code whose address is
# used again, recursion to the limit, signals, generators that change threads, greenlets, several
# interpreters, Python ended and begun again, loaded late, or of a version that is not known.
. "$(dirname "$0")/lib_python.sh"

storm() # label, path, name
{
    local label="$3, $1" folder=$TMP/$3 db=$TMP/$3/x.db extension
    extension=$(extension_for "$2" "$HERE/tree_ext.c") || { not_ok "the extension can be built [$label]" "$2"; return; }
    rm -rf "$folder" && mkdir -p "$folder" && cp "$extension/tree_ext.so" "$folder/"
    if ! timeout 60 "$2" "$HERE/storms.py" "$3" "$folder" > "$folder/out" 2>&1; then
        skip "storm [$label]" "it fails without the library too: $(tail -1 "$folder/out")"
        return
    fi
    rm -f "$folder"/expected.*
    KPROF_RATE=1 shim "$db" timeout 100 "$2" "$HERE/storms.py" "$3" "$folder" > "$folder/out.kprof" 2>&1
    assert_eq "the program ends well [$label]" 0 $?
    assert_eq "it says nothing that it does not say without the library [$label]" "$(sed 's/[0-9][0-9]*//g' "$folder/out")" \
        "$(sed 's/[0-9][0-9]*//g' "$folder/out.kprof")"
    assert_whole "$label" "$db"
    "$PY" "$HERE/compare_tree.py" "$db" "$folder" "$label" || not_ok "the comparison ends well [$label]" "see above"
    assert_eq "no Python stack was unreadable [$label]" 0 "$(sql "$db" 'SELECT sum(python_broken) FROM process')"
    rm -rf "$folder"
}

some() # label, path: the storms that differ most from version to version
{
    local name
    for name in exec fork switch; do storm "$1" "$2" $name; done
}

rest() # label, path
{
    local name
    for name in reuse recursion signal odd_name interpreter daemon; do storm "$1" "$2" $name; done
}

embedded() # label, command...: three lives of Python in one process
{
    local label=$1 db=$TMP/embedded.db
    shift
    rm -f "$db"*
    KPROF_RATE=1 shim "$db" "$@" > out 2>&1
    assert_eq "it ends well [$label]" "0 " "$? $(head -c 300 out)"
    assert_whole "$label" "$db"
    assert_range "the objects of each life have their Python frame [$label]" 6000 6200 "$(of_function "$db" object)"
    assert_range "so do the larger blocks [$label]" 3000 3200 "$(of_function "$db" malloc)"
}

of_function() # database, kind: blocks under embedded_function
{
    sql "$1" "WITH RECURSIVE up(site, stack) AS (SELECT id, stack_id FROM site WHERE kind = '$2'
        UNION ALL SELECT site, parent_id FROM up JOIN stack ON stack.id = up.stack WHERE parent_id <> 0)
        SELECT printf('%d', sum(allocated_count)) FROM site WHERE id IN (SELECT site FROM up JOIN stack s ON s.id = up.stack
        JOIN frame f ON f.location_id = s.location_id WHERE f.lang = 'python' AND f.function LIKE 'embedded_function%')"
}

embed_linked() # output, option...
{
    local out=$1
    shift
    ${CC:-cc} -O1 -DLINKED -w -o "$out" "$HERE/embed.c" "$@" 2> "$TMP/embed.log"
}

if [ "$LONG" = 1 ]; then
    skip_missing_pythons storms
    each_python some
    each_python rest
else
    while IFS=$'\t' read -r label path; do
        case $label in 3.9.*shared | 3.12.* | 3.13.*static | 3.14.*shared) some "$label" "$path" < /dev/null ;; esac
        case $label in 3.14.*static) rest "$label" "$path" < /dev/null ;; esac
    done < <(chosen_pythons)
fi

# Debian's greenlet and gevent are for the system's Python.
label=$(python_label "$PY")
storm "$label" "$PY" greenlet
storm "$label" "$PY" gevent

# Python in a program of another name: linked to the shared library, loaded late, linked statically.
version=$("$PY" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
archive=$(find /usr/lib/python"$version"/config-*/ -name "libpython$version.a" 2>/dev/null | head -1)
if ${CC:-cc} -O1 -w -o late "$HERE/embed.c" -ldl && embed_linked linked "-lpython$version"; then
    embedded "linked, three lives" ./linked
    embedded "loaded late, three lives" ./late "libpython$version.so.1.0"
else
    skip "Python inside a program" "no libpython$version to link to: $(head -1 embed.log)"
fi
# from 3.12 on Python forgets who stands in front of its allocators when it is started again
path=$(pick_python '3\.12\..* shared' | cut -f2)
if [ -n "$path" ] && ${CC:-cc} -O1 -w -o late "$HERE/embed.c" -ldl; then
    embedded "3.12 loaded late, three lives" env PYTHONHOME="$("$path" -I -c 'import sys; print(sys.base_prefix)')" \
        ./late "$(ldd "$path" | awk '/libpython/ { print $3 }')"
else
    skip "3.12 inside a program" "no shared Python 3.12 here; pyenv install 3.12 would bring one"
fi
if [ -n "$archive" ] && embed_linked static "$archive" -no-pie -rdynamic -lm -lz -lexpat; then
    embedded "linked statically, three lives" ./static
    # without -rdynamic nobody can find Python in it: it runs on as it is
    embed_linked hidden "$archive" -no-pie -lm -lz -lexpat && KPROF_RATE=1 shim hidden.db ./hidden > out 2>&1
    assert_eq "a program that hides its Python ends well" "0 " "$? $(head -c 300 out)"
    assert_whole "hidden Python" "$TMP/hidden.db"
else
    skip "Python linked statically into a program" "no $version archive that links: $(tail -1 embed.log)"
fi

# A version that came after this: no Python frames, and the report says so.
unknown=$PYTHONS/3.15/usr/bin/python3.15
if [ -x "$unknown" ]; then
    KPROF_RATE=1 shim unknown.db "$unknown" -c 'import json, asyncio' > out 2>&1
    assert_eq "a version that is not known runs as ever" "0 " "$? $(head -c 300 out)"
    assert_whole "a version that is not known" "$TMP/unknown.db"
    assert_match "the recording says that its frames could not be read" 'none that kprof knows' "$(sql unknown.db 'SELECT text FROM note')"
else
    skip "a version that is not known" "no Python 3.15 here; make pythons fetches it"
fi
