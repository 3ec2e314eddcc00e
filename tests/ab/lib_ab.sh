# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC1091
# What the tests of kprof-ab share: the program, how JSON is asked, and the workload whose answer is
# known (churn.c).
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
AB=$BUILD/kprof-ab

build_churn()
{
    "${CC:-cc}" -std=gnu11 -g -O1 -fno-builtin -D_GNU_SOURCE -pthread -I "$ROOT/include" -o churn \
        "$ROOT/tests/ab/churn.c" || not_ok "the workload can be built" "see above"
}

json() # file, path as in sqlite: $.verdict.kind
{
    sqlite3 :memory: "SELECT json_extract(readfile('$1'), '$2')"
}

of_configuration() # file, name, path below it
{
    sqlite3 :memory: "SELECT json_extract(value, '\$.$3') FROM json_each(readfile('$1'), '\$.configurations')
        WHERE json_extract(value, '\$.name') = '$2'"
}
