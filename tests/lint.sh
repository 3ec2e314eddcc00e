#!/bin/bash
# SPDX-License-Identifier: MIT
# `make lint`: what the style of this tree asks for and a compiler does not see. One line per check,
# "ok - ..." or "not ok - ..." with the places below it; a tool that is not installed is a "skip".
# The status is 1 when a check failed.
#
# usage: tests/lint.sh [pattern]      pattern: a piece of a check's name
# shellcheck disable=SC2317 # checks are called by their names
set -u -o pipefail
export LC_ALL=C
ROOT=$(cd "$(dirname "$0")/.." && pwd)
cd "$ROOT" || exit 1
BUILD=build/release
PATTERN=${1:-}
FAILED=0

# Tracked files, and new ones that nothing ignores; in a tree without git all that look like sources.
files()
{
    if git rev-parse --git-dir > /dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@" | while read -r file; do [ -f "$file" ] && echo "$file"; done
    else
        local pattern
        for pattern; do
            find . -path ./build -prune -o -type f \( -name "$pattern" -o -path "./$pattern" \) -print
        done | sed 's,^\./,,'
    fi | sort -u
}
mapfile -t C_FILES < <(files '*.c' '*.h')
mapfile -t SCRIPTS < <(files '*.sh' tests/run .ci/run)
mapfile -t SOURCES < <(files '*.c' '*.h' '*.cc' '*.rs' '*.sh' tests/run .ci/run)

check() # name, function: its output is what is wrong
{
    local said
    [[ $1 == *"$PATTERN"* ]] || return 0
    said=$($2 2>&1)
    if [ -z "$said" ]; then
        echo "ok - $1"
    else
        echo "not ok - $1:"
        # shellcheck disable=SC2001 # each line of several
        sed 's/^/    /' <<< "$said" | head -"${LINT_LINES:-20}"
        FAILED=1
    fi
}

check_with() # tool, name, function
{
    if command -v "$1" > /dev/null; then check "$2" "$3"; else echo "skip - $2: no $1 here (make deps-lint)"; fi
}

# In our style a function's body stands between a { and a } in the first column.
function_lengths() # prints: lines, place
{
    awk 'FNR == 1 { start = 0 }
        /^\{/ { start = FNR }
        /^\}$/ && start { print FNR - start + 2, FILENAME ":" start - 1; start = 0 }' "${C_FILES[@]}"
}

short_functions()
{
    function_lengths | awk '$1 > 80 { print "over 80 lines: " $2 " (" $1 ")" }
        $1 > 40 { long++; places = places "\n  " $2 " (" $1 ")" }
        END { if (long > 0.05 * NR) printf "%d of %d functions have more than 40 lines:%s\n", long, NR, places }'
}

heads()
{
    local file
    for file in "${SOURCES[@]}"; do
        head -2 "$file" | grep -q 'SPDX-License-Identifier: MIT' || { echo "$file: no SPDX line at the top"; continue; }
        case $file in
        *.c | *.h | *.cc | *.rs) sed -n 2p "$file" | grep -qE '^(/\*|//)' ;;
        *) sed -n '2,4p' "$file" | grep -v -e SPDX -e 'shellcheck' | grep -q '^# .' ;;
        esac || echo "$file: no comment at the top that says what it is"
    done
}

unique_names()
{
    local file
    for file in "${SOURCES[@]}"; do basename "$file"; done | sort | uniq -d | while read -r name; do
        echo "$name: $(printf '%s\n' "${SOURCES[@]}" | grep "/$name\$" | tr '\n' ' ')"
    done | grep -v -e '^run: ' -e '^lib\.rs: ' -e '^demo\.sh: ' # these are called so everywhere
}

upward_includes() { grep -n '#include.*\.\./' "${SOURCES[@]}"; }

may_include() # folder, folder of what it includes
{
    case $1 in
    shim/record) [ "$2" = shim/record ] ;;
    shim) [ "$2" = shim ] || [ "$2" = shim/record ] ;;
    analyzer) [ "$2" = analyzer ] || [ "$2" = shim/record ] ;;
    reports) [ "$2" = reports ] || [ "$2" = analyzer ] || [ "$2" = shim/record ] ;;
    *) true ;;
    esac
}

arrows()
{
    local -A folder_of=()
    local file place name
    for file in "${C_FILES[@]}"; do folder_of[$(basename "$file")]=$(dirname "$file"); done
    grep -Hno '^#include "[^"]*"' "${C_FILES[@]}" | tr -d '"' | while IFS=: read -r file place name; do
        name=${name#\#include }
        [ "$name" = schema_sql.h ] && continue # made by the build
        if [ -z "${folder_of[$name]:-}" ]; then
            echo "$file:$place: there is no $name"
        elif ! may_include "$(dirname "$file")" "${folder_of[$name]}"; then
            echo "$file:$place: $(dirname "$file") must not include ${folder_of[$name]}/$name"
        fi
    done
}

# The brackets keep this line itself from having the words.
left_over() { grep -nwE 'TO[D]O|FIX[M]E|X[X]X|HA[C]K' "${SOURCES[@]}"; }

typedefs() { grep -nE '^[[:space:]]*typedef[[:space:]]+(struct|union|enum)' "${C_FILES[@]}"; }

long_lines() # scripts have queries and expected lines in them
{
    files '*.c' '*.h' '*.cc' '*.rs' | tr '\n' '\0' |
        xargs -0 awk 'length > 120 { print FILENAME ":" FNR ": " length " columns" }'
}

scripts() { shellcheck -x -P SCRIPTDIR -f gcc "${SCRIPTS[@]}"; }

manuals() { mandoc -Tlint -Wwarning docs/man/*.[1-8]; }

options_of_help() # program
{
    "$BUILD/$1" --help | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

options_of_manual() # page
{
    sed -n '/^\.Sh OPTIONS/,/^\.Sh E/p' "$1" | grep -E '^\.It.* Fl ' | grep -oE -- '-[a-z][a-z-]+' |
        sed 's/^/-/' | sort -u
}

# Lines that only one of two lists has: "NAME is in A, not in B".
same_names() # what the first list is, what the second is, file, file
{
    comm -23 "$3" "$4" | sed "s,\$, is in $1\, not in $2,"
    comm -13 "$3" "$4" | sed "s,\$, is in $2\, not in $1,"
}

options()
{
    local page program
    for page in docs/man/*.[18]; do
        program=$(basename "${page%.*}")
        if [ -x "$BUILD/$program" ]; then
            same_names "$program --help" "$page" <(options_of_help "$program") <(options_of_manual "$page")
        else
            echo "$program is not built"
        fi
    done
}

variables()
{
    same_names shim/record/settings_table.h docs/man/libkprof.7 \
        <(grep -oE 'X\("KPROF_[A-Z_]+' shim/record/settings_table.h | grep -oE 'KPROF_[A-Z_]+' | sort -u) \
        <(grep -E '^\.It Ev KPROF_' docs/man/libkprof.7 | grep -oE 'KPROF_[A-Z_]+' | sort -u)
}

# What the page says is kept: the rows of its tables that begin with a name.
tables()
{
    same_names analyzer/schema.sql docs/database.md \
        <(grep -oE '^CREATE (TABLE|VIEW) [a-z_]+' analyzer/schema.sql | awk '{ print $3 }' | sort -u) \
        <(sed -n '/^## What is kept/,/^## Python/p' docs/database.md | grep '^| `' | cut -d'|' -f2 |
            grep -oE '[a-z_]+' | sort -u)
}

# Two objects of one library that define a name: whoever links gets one of them, by chance.
clashes()
{
    make -s "$BUILD/libanalyzer.a" all > /dev/null || echo "it does not build"
    nm -A -g --defined-only "$BUILD/libanalyzer.a" 2> /dev/null | awk '{ print $NF }' | sort | uniq -d |
        sed 's/$/ is defined twice in libanalyzer.a/'
    nm -g --defined-only "$BUILD/libanalyzer.a" 2> /dev/null |
        awk 'NF == 3 && $3 !~ /^kp_/ { print $3 " does not begin with kp_" }'
}

# Left out: headers of the system (cppcheck brings its own idea of libc), and comments in the sources
# that another version of cppcheck does not need.
static_checks()
{
    cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=0 \
        --template='{file}:{line}: {id}: {message}' -j 2 -DKP_VERSION='""' -D__x86_64__ -D__linux__ -D_GNU_SOURCE \
        -I shim -I shim/record -I analyzer -I reports -I "$BUILD" \
        --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
        shim analyzer reports include 2>&1
}

# The folders' own include paths, so that a wrong include shows here too.
second_compiler()
{
    local common=(-std=gnu11 -D_GNU_SOURCE '-DKP_VERSION=""' '-DKP_LIBEXECDIR=""' '-DKP_LIBDIR=""' -fsyntax-only
        -Wall -Wextra -Wshadow -Wno-unknown-attributes -Wno-unknown-pragmas -Wimplicit-fallthrough -Wcomma
        -Wunreachable-code)
    clang "${common[@]}" -iquote shim -iquote shim/record shim/*.c shim/record/*.c
    clang "${common[@]}" -iquote analyzer -iquote shim/record -iquote "$BUILD" analyzer/*.c
    clang "${common[@]}" -iquote reports -iquote analyzer -iquote shim/record reports/*.c
}

check 'names of one library do not clash, and begin with kp_' clashes
check '95 % of the functions have at most 40 lines, none more than 80' short_functions
check 'each file has its license and says what it is' heads
check 'file names are unique in the tree' unique_names
check 'no include climbs up' upward_includes
check 'includes go along the arrows' arrows
check 'nothing is left to do later' left_over
check 'structs have no typedef' typedefs
check 'lines of the sources have at most 120 columns' long_lines
check 'man pages and --help have the same options' options
check 'man page and shim have the same variables' variables
check 'docs/database.md and schema have the same tables and views' tables
check_with shellcheck 'scripts pass shellcheck' scripts
check_with mandoc 'man pages pass mandoc' manuals
check_with cppcheck 'sources pass cppcheck' static_checks
check_with clang 'sources compile without a warning of clang' second_compiler
exit $FAILED
