#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# The totals at a mark are what the allocator itself says at that moment: glibc, jemalloc, tcmalloc,
# mimalloc, Python's own. They keep to their budget, and never wait for a lock in a handler.
. "$(dirname "$0")/../python/lib_python.sh"

need "totals at marks" sqlite3 "${CC:-cc}" || exit 0
for name in totals_program handler_program; do
    "${CC:-cc}" -std=gnu11 -g -O1 -fno-builtin -D_GNU_SOURCE -pthread -I "$ROOT/include" -o $name \
        "$ROOT/tests/iterations/$name.c" -ldl || not_ok "$name can be built" "see above"
done

lib() { find /usr/lib /usr/local/lib /lib -name "$1" 2> /dev/null | sort | head -1; }

agree() # family, library behind us
{
    local db=$TMP/$1.db wrong
    [ "$1" = glibc ] || [ -n "$2" ] || { skip "totals of $1" "no such library here"; return; }
    KPROF_RATE=auto BEHIND=$2 shim "$db" ./totals_program "$1" > said.txt ||
        { not_ok "the program runs with $1" "exit status $?"; return; }
    assert_whole "$1" "$db"
    sql "$db" "SELECT ifnull(malloc_used, -1), malloc_held, rss FROM mark ORDER BY iteration" > ours.txt
    assert_eq "every mark has totals [$1]" 30 "$(lines_of ours.txt)"
    cut -d' ' -f1,2 said.txt | tr ' ' '|' > theirs.txt
    cut -d'|' -f1,2 ours.txt > ours_2.txt
    assert_same_file "used and held are what $1 says itself" theirs.txt ours_2.txt
    wrong=$(paste -d' ' <(cut -d'|' -f3 ours.txt) <(cut -d' ' -f3 said.txt) |
        awk '{ d = $1 - $2; if (d < -1048576 || d > 1048576) print }')
    assert_eq "RSS is what the kernel says, within 1 MiB [$1]" "" "$wrong"
}
GLIBC_TUNABLES=glibc.malloc.tcache_count=0 agree glibc ""
shim "$TMP/cached.db" ./totals_program glibc > said.txt
settle "$TMP/cached.db"
sql "$TMP/cached.db" "SELECT malloc_used FROM mark ORDER BY iteration" > ours.txt
assert_eq "blocks in glibc's cache of freed ones are not in use" "30" \
    "$(paste -d' ' ours.txt said.txt | awk '$1 < $2 && $1 > $2 - 300000' | wc -l | tr -d ' ')"
agree jemalloc "$(lib 'libjemalloc.so.2')"
agree tcmalloc "$(lib 'libtcmalloc_minimal.so.4')"
agree mimalloc "$(lib 'libmimalloc.so.2')"

# Python's own: the blocks as sys says, the arenas as sys._debugmallocstats() prints them. (That one
# says nothing where Python's functions have others in front: it is asked in a run without us.)
cat > python_totals.py << 'EOF'
import ctypes, sys, kprof
keep = [[str(i)] for i in range(200000)]
kprof.iteration()
print(sys.getallocatedblocks())
sys._debugmallocstats()
EOF
python_totals()
{
    local label=$1 python=$2 db=$TMP/python.db blocks arenas ours used
    rm -f "$db"*
    export PYTHONPATH=$ROOT/python PYTHONDONTWRITEBYTECODE=1
    "$python" python_totals.py > plain.txt 2> stats.txt
    shim "$db" "$python" python_totals.py > blocks.txt 2> err.txt
    settle "$db"
    blocks=$(cat blocks.txt)
    ours=$(sql "$db" "SELECT object_blocks FROM mark")
    arenas=$(sed -n 's/,//g; s/^[0-9]* arenas \* [0-9]* bytes\/arena *= *\([0-9]*\)$/\1/p' stats.txt)
    used=$(sed -n 's/,//g; s/^# bytes in allocated blocks *= *\([0-9]*\)$/\1/p' stats.txt)
    assert_range "blocks are what sys.getallocatedblocks() says [$label]" $((blocks - 50)) $((blocks + 50)) "$ours"
    # An arena more or less; 3.11 and later take the interpreter's stacks from the same place.
    ours=$(sql "$db" "SELECT object_held FROM mark")
    assert_range "bytes in them are what sys._debugmallocstats() says [$label]" $((used - used / 100)) $((used + used / 100)) \
        "$(sql "$db" "SELECT object_used FROM mark")"
    assert_range "arenas are what sys._debugmallocstats() says [$label]" $((arenas - (1 << 20))) \
        $((arenas + (3 << 20) / 2)) "$ours"
}
while IFS=$'\t' read -r label path; do
    python_totals "$label" "$path" < /dev/null
done < <(list_pythons | grep -v '^3\.[0-9]*\.[0-9]*t' | awk '{ split($1, part, ".") } !seen[part[2]]++')

for stack in own altstack; do
    shim "$TMP/handler.db" timeout -k 2 60 ./handler_program $stack > out.txt
    assert_eq "marks in a handler that has interrupted malloc don't wait for its locks [$stack]" "0|3000" "$?|$(cat out.txt)"
    assert_whole "handler, $stack" "$TMP/handler.db"
    assert_eq "and each is counted [$stack]" 3000 "$(sql "$TMP/handler.db" 'SELECT max(iteration) FROM mark')"
    rm -f "$TMP"/handler.db*
done

# The budget: very many marks, of which few have totals, all over the run.
cat > many.c << 'EOF'
#include <kprof.h>
#include <stdlib.h>
int main(void)
{
    void *volatile block = NULL;

    for (int i = 0; i < 1000000; i++) {
        free(block);
        block = malloc(1000);
        kprof_iteration();
    }
    return 0;
}
EOF
"${CC:-cc}" -O1 -I "$ROOT/include" -o many many.c
shim "$TMP/many.db" ./many
assert_whole "a million marks" "$TMP/many.db"
assert_eq "a million marks are a million" 1000000 "$(sql "$TMP/many.db" 'SELECT max(iteration) FROM mark')"
assert_range "about 100 of them have totals, or more" 60 20000 "$(sql "$TMP/many.db" 'SELECT count(malloc_used) FROM mark')"
assert_range "also in the last tenth" 1 5000 \
    "$(sql "$TMP/many.db" 'SELECT count(malloc_used) FROM mark WHERE iteration > 900000')"
