# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of conversions share: extensions for each interpreter, and what the database says.
. "$(dirname "${BASH_SOURCE[0]}")/../python/lib_python.sh"
CONVERSIONS=$ROOT/tests/conversions
export PYTHONDONTWRITEBYTECODE=1

# The folder that has convmod (with a PLT) and convnop (without one, bound at once), for this
# interpreter.
build_modules() # path of the interpreter
{
    local folder include source=$CONVERSIONS/convmod.c name flags
    folder=$BUILD/conversions/$(python_label "$1" | tr ' ' '-')
    include=$("$1" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
    mkdir -p "$folder"
    while read -r name flags; do
        [ "$folder/$name.so" -nt "$source" ] && continue
        # shellcheck disable=SC2086
        ${CC:-cc} -std=gnu11 -O2 -fPIC -shared -pthread -D_GNU_SOURCE -DMODULE="$name" $flags \
            -isystem "$include" -idirafter "$(dirname "$include")" -o "$folder/$name.so.$$" "$source" -ldl \
            2> "$folder/$name.log" && mv "$folder/$name.so.$$" "$folder/$name.so" || return 1
    done << 'LIST'
convmod -fplt -Wl,-z,lazy
convnop -fno-plt -Wl,-z,now -Wl,-z,relro
LIST
    echo "$folder"
}

counts() # database, name of the entry: "api calls amount" of each, in order
{
    sql "$1" "SELECT api, sum(calls), sum(amount) FROM conversion JOIN entry USING (process_id, entry)
        WHERE name = '$2' AND api GLOB '*Py*' GROUP BY api ORDER BY api" | tr '|' ' '
}

calls_of() # database, kind, name (LIKE), api
{
    sql "$1" "SELECT coalesce(sum(calls), 0) FROM conversion JOIN entry USING (process_id, entry)
        WHERE kind = '$2' AND name LIKE '$3' AND api = '$4'"
}
