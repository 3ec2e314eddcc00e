#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 200
# long-limit: 900
# Nothing of Python's is counted twice or left out, whatever allocator it was told to use: blocks of
# sizes around the border between Python's own allocator and malloc, in each domain and by each call.
. "$(dirname "$0")/lib_python.sh"

domains() # label, path, mode, exact or debug, arenas or any; mode: of PYTHONMALLOC, or -X dev
{
    local label="$1, $3" folder=$TMP/domains extension option=
    [ "$3" = '-X dev' ] && option='-X dev'
    extension=$(extension_for "$2" "$HERE/tree_ext.c") || { not_ok "the extension can be built [$label]" "$2"; return; }
    rm -rf "$folder" && mkdir -p "$folder" && cp "$extension/tree_ext.so" "$folder/"
    # shellcheck disable=SC2086 # an option or none
    (
        [ "$3" = unset ] || [ -n "$option" ] || export PYTHONMALLOC=$3
        KPROF_RATE=1 shim "$folder/x.db" "$2" $option "$HERE/domains_program.py" "$folder"
    ) > "$folder/out" 2>&1
    assert_eq "the program ends well [$label]" 0 "$?$(grep -v 'DeprecationWarning\|ResourceWarning' "$folder/out" | head -c 300)"
    assert_whole "$label" "$folder/x.db"
    "$PY" "$HERE/compare_domains.py" "$folder/x.db" "$folder/expected.json" "$label" "$4" "$5" ||
        not_ok "the comparison ends well [$label]" "see above"
}

# Those that this Python has: mimalloc since 3.13, the others not where there is no GIL.
if_it_has() # label, path, mode, exact or debug, arenas or any
{
    if PYTHONMALLOC=$3 "$2" -c '' 2>/dev/null; then domains "$@"; fi
}

main_modes() # label, path
{
    if_it_has "$1" "$2" malloc exact any
    if_it_has "$1" "$2" mimalloc exact any
    domains "$1" "$2" debug debug "$arenas"
}

other_modes() # label, path
{
    domains "$1" "$2" '-X dev' debug "$arenas"
    if_it_has "$1" "$2" pymalloc exact arenas
    if_it_has "$1" "$2" pymalloc_debug debug arenas
    if_it_has "$1" "$2" malloc_debug debug any
    if_it_has "$1" "$2" mimalloc_debug debug any
}

skip_missing_pythons domains
while IFS=$'\t' read -r label path; do
    arenas=arenas
    [[ $label == *t\ * ]] && arenas=any
    domains "$label" "$path" unset exact $arenas < /dev/null
    case $LONG.$label in
    1.* | *.3.11.*static | *.3.14.*shared | *t\ static) main_modes "$label" "$path" < /dev/null ;;
    esac
    case $LONG.$label in
    1.* | *.3.11.*static) other_modes "$label" "$path" < /dev/null ;;
    esac
done < <(chosen_pythons minors)
