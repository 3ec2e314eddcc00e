# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is for the scripts
# What the Python tests share: which interpreters there are, and an extension for each.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
HERE=$ROOT/tests/python
PYTHONS=${KPROF_TEST_PYTHONS:-$ROOT/build/pythons}
PY=$(readlink -f /usr/bin/python3) # for the tests' own scripts

python_label() # path: "3.11.2 static"; nothing where it does not run
{
    local version linked=static
    # shellcheck disable=SC2016
    version=$("$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3] + sys.abiflags)' 2>/dev/null) || return 1
    [[ $(ldd "$1" 2>/dev/null) == *libpython* ]] && linked=shared
    echo "$version $linked"
}

# The system's Python linked to its shared library, made here where the headers' package has put it.
python_shared_of() # version as 3.11
{
    local twin=$BUILD/python/python$1-shared
    [ -x "$twin" ] && { echo "$twin"; return; }
    mkdir -p "$BUILD/python"
    ${CC:-cc} -O2 -g -o "$twin.$$" "$HERE/shared_main.c" "-lpython$1" 2>/dev/null &&
        mv "$twin.$$" "$twin" && echo "$twin"
}

python_paths()
{
    local path
    [ -x /usr/bin/python3 ] && readlink -f /usr/bin/python3 &&
        python_shared_of "$(/usr/bin/python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    for path in "$PYTHONS"/*/usr/bin/python3.*; do
        [[ $path =~ /python3\.[0-9]+t?(-shared)?$ ]] && echo "$path"
    done
    for path in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin/python3.*; do
        [[ $path =~ /python3\.[0-9]+t?$ ]] && echo "$path"
    done
}

# "label<TAB>path" of each interpreter that kprof reads the stacks of (3.9 to 3.14), once a label. With
# KPROF_TEST_PYTHON, a regular expression on the label, only those: make check-pythons P='3\.14.* shared'
list_pythons()
{
    local path label
    python_paths | while read -r path; do
        label=$(python_label "$path") || continue
        case $label in 3.9.* | 3.1[0-4].*) printf '%s\t%s\n' "$label" "$path" ;; esac
    done | awk -F'\t' '!seen[$1]++' | grep -E "^${KPROF_TEST_PYTHON:-.}" | sort -V
}

# One: the last that matches, e.g. pick_python '3\.11\..* static'
pick_python() # regular expression on the label
{
    list_pythons | grep -E "^$1" | tail -1
}

skip_missing_pythons() # what for; where only some were asked for, the others are not missed
{
    local have wanted
    [ -z "${KPROF_TEST_PYTHON:-}" ] || return 0
    have=$(list_pythons)
    for wanted in '3.9 static' '3.9 shared' '3.10 shared' '3.11 static' '3.11 shared' '3.12 shared' \
        '3.13 static' '3.13 shared' '3.13t static' '3.14 static' '3.14 shared'; do
        [[ $wanted =~ ^3\.([0-9]+)(t?)\ (.*)$ ]]
        grep -qE "^3\.${BASH_REMATCH[1]}\.[0-9]+${BASH_REMATCH[2]} ${BASH_REMATCH[3]}" <<< "$have" && continue
        case $wanted in
        3.10* | 3.12*) skip "$1 [$wanted]" "no such Python here; pyenv install ${wanted% *} would bring one" ;;
        *t\ *) skip "$1 [$wanted]" "no such Python here; make python-free-threaded builds it" ;;
        *) skip "$1 [$wanted]" "no such Python here; make pythons fetches it" ;;
        esac
    done
}

# The folder of an extension built for this interpreter.
extension_for() # path of the interpreter, source
{
    local name include prefix folder
    name=$(basename "$2" .c)
    folder=$BUILD/python/$(python_label "$1" | tr ' ' '-')
    include=$("$1" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
    prefix=$(dirname "$include")
    if [ ! "$folder/$name.so" -nt "$2" ]; then
        mkdir -p "$folder"
        ${CC:-cc} -std=gnu11 -g -O1 -Wall -Werror=implicit -fno-inline -fno-optimize-sibling-calls -fPIC -shared -pthread -D_GNU_SOURCE \
            -isystem "$include" -idirafter "$prefix" -o "$folder/$name.so.$$" "$2" 2> "$folder/$name.log" &&
            mv "$folder/$name.so.$$" "$folder/$name.so" || return 1
    fi
    echo "$folder"
}

# Those that a test runs on: one of each minor version, linkage and threading; with "minors" one of
# each minor version, but 3.11 in both linkages; in long mode all.
chosen_pythons() # minors or nothing
{
    list_pythons | awk -v all="$LONG" -v minors="${1:-}" '{
        split($1, part, ".")
        key = part[2] ($1 ~ /t$/) (minors && part[2] != 11 ? "" : $2)
    } all == 1 || !seen[key]++'
}

# Runs a function for each of those: function label path
each_python() # function, minors or nothing
{
    local label path
    while IFS=$'\t' read -r label path; do
        "$1" "$label" "$path" < /dev/null
    done < <(chosen_pythons "${2:-}")
}
