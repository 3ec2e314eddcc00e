#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# A program with a known tree of calls through Python and C, on every interpreter that is here: each
# marked block is recorded once, with its kind and with exactly the frames that Python itself tells.
. "$(dirname "$0")/lib_python.sh"

tree() # label, path
{
    local label=$1 folder=$TMP/tree-${1// /-} db=$TMP/tree-${1// /-}.db extension
    extension=$(extension_for "${3:-$2}" "$HERE/tree_ext.c") ||
        { not_ok "the extension can be built [$label]" "$(tail -3 "$BUILD"/python/*/tree_ext.log)"; return; }
    mkdir -p "$folder"
    cp "$extension/tree_ext.so" "$folder/"
    KPROF_RATE=1 shim "$db" timeout 60 "$2" "$HERE/tree.py" "$folder" > "$folder/out" 2>&1
    assert_eq "the program ends well [$label]" "0 " "$? $(head -c 300 "$folder/out")"
    assert_whole "$label" "$db"
    "$PY" "$HERE/compare_tree.py" "$db" "$folder" "$label" || not_ok "the comparison ends well [$label]" "see above"
    rm -rf "$folder" "$db"
}

skip_missing_pythons 'call tree'
each_python tree

# Without any symbols: the interpreter of the system, which is linked statically.
label=$(python_label "$PY") path=$PY
if [[ $label == *static ]] && need "stripped interpreter" strip; then
    mkdir -p "$TMP/stripped/bin"
    version=$(basename "$(readlink -f "$path")")
    strip --strip-all -o "$TMP/stripped/bin/$version" "$path"
    PYTHONHOME=$("$path" -c 'import sys; print(sys.prefix)') tree "$label stripped" "$TMP/stripped/bin/$version" "$path"
fi
