#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# Python, shell, Python, shell, Python: killed as a whole, or one after the other from the outside in,
# everything of each of them is in the one database.
. "$(dirname "$0")/lib_real.sh"
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX=$TMP/pycache # where a Python comes without compiled modules

descendants() # pid: itself and what it has started, outermost first
{
    local child children
    echo "$1"
    read -r -a children < "/proc/$1/task/$1/children"
    for child in "${children[@]}"; do descendants "$child"; done
}

for way in "all at once" "outside in" "the middle first"; do
    db=$TMP/${way// /-}.db
    mkfifo said
    env KPROF_RATE=1 KPROF_SPOOL_MAX=1G KPROF_DB="$db" LD_PRELOAD="$SHIM" "$PYTHON" "$REAL/tree.py" 2 > said 2> err &
    root=$!
    read -r -t 30 line < said
    rm -f said
    mapfile -t all < <(descendants "$root")
    assert_eq "three Pythons and two shells are at work [$way]" "ready|5" "$line|${#all[@]}"
    case $way in
    "all at once") kill -KILL "${all[@]}" ;;
    "outside in") for pid in "${all[@]}"; do kill -KILL "$pid"; sleep 0.2; done ;;
    *) kill -KILL "${all[2]}"; sleep 0.5; kill -KILL "${all[4]}" "${all[@]}" 2> /dev/null ;;
    esac
    wait "$root" 2> /dev/null
    wait_for 10 eval "! kill -0 ${all[4]}"
    wait_for 60 ended "$db"
    assert_whole "$way" "$db" || continue
    assert_eq "every process is named, and its Python [$way]" 0 "$(unnamed "$db")"
    found=$(for pid in "${all[0]}" "${all[2]}" "${all[4]}"; do kept "$db" hold "$pid"; done | sort | uniq -c | tr -s ' ')
    assert_eq "what each Python keeps is exact [$way]" " 3 100 1000100" "$found"
done
