#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# kprof-ab replay: the table of events has each call once; a replay holds at its peak what the program
# itself does, under each allocator, on one thread and on two; without the place that pins the heap
# its waste is gone; what a replay cannot know is said.
. "$(dirname "$0")/lib_ab.sh"

need "replays" sqlite3 "${CC:-cc}" || exit 0
if nm -D "$AB" 2> /dev/null | grep -q __asan_init; then
    skip "replays" "a program with AddressSanitizer has no other allocator"
    exit 0
fi
"${CC:-cc}" -std=gnu11 -g -O1 -fno-builtin -D_GNU_SOURCE -pthread -o pinned "$ROOT/tests/ab/pinned.c" ||
    not_ok "the program can be built" "see above"
RUN=$BUILD/kprof-run
WAITING=MALLOC_CONF=dirty_decay_ms:-1

record() # database, command...
{
    local db=$1
    shift
    "$RUN" -q -o "$db" --rate 1 --keep all -- "$@" > /dev/null
    settle "$db"
}

library_of() # allocator
{
    [ "$1" = glibc ] || find /usr/lib /usr/local/lib -name "lib$1.so.?" -o -name "lib$1_minimal.so.?" 2> /dev/null | sort | head -1
}

for threads in 1 2; do
    db=$threads.db
    record $db ./pinned $threads 12
    assert_eq "each allocation is an event, each free one after it [$threads threads]" "1|0|0" "$(sql $db "
        SELECT (SELECT count(*) FROM event WHERE site_id IS NOT NULL) = (SELECT sum(samples) FROM site),
        (SELECT count(*) FROM (SELECT sample FROM event GROUP BY process_id, sample HAVING count(*) > 2)),
        (SELECT count(*) FROM event f LEFT JOIN event a ON a.sample = f.sample AND a.site_id IS NOT NULL
            WHERE f.site_id IS NULL AND (a.id IS NULL OR a.time_us > f.time_us))")"
    "$AB" replay $db --json > $threads.json 2> said.txt
    assert_eq "the replay says nothing on stderr [$threads threads]" "" "$(cat said.txt)"
    assert_eq "every call is replayed [$threads threads]" "$(sql $db "SELECT sum(samples) FROM site WHERE kind IN ('malloc', 'new')")" \
        "$(json $threads.json '$.allocations')"
    within=0.10
    [ $threads = 2 ] && within=0.20
    # What jemalloc gives back after a while differs from run to run of the program: it is told to wait.
    for i in 1 2 3; do
        "$AB" replay $db --json --sites 0 --allocators "glibc,jemalloc+$WAITING,mimalloc,tcmalloc" > again.$i.json
    done
    for allocator in glibc "jemalloc $WAITING" mimalloc tcmalloc; do
        library=$(library_of "${allocator%% *}")
        [ "$allocator" = glibc ] || [ -n "$library" ] || { skip "replay with $allocator" "not here"; continue; }
        for _ in 1 2 3; do env $WAITING LD_PRELOAD="$library" ./pinned $threads 12; done | sort -n | sed -n '2s/ .*//p' > live.txt
        live=$(cat live.txt)
        assert_range "the replay's peak is the program's own, within $within [$allocator, $threads threads]" \
            "$(awk "BEGIN { print (1 - $within) * $live }")" "$(awk "BEGIN { print (1 + $within) * $live }")" \
            "$(for i in 1 2 3; do of_configuration again.$i.json "$allocator" peak_held; done | sort -n | sed -n 2p)"
    done
    assert_match "the place that pins the heap costs most [$threads threads]" 'pinned.c:[0-9]+ pin$' "$(json $threads.json '$.sites[0].where')"
    waste=$(of_configuration $threads.json glibc worst.waste)
    assert_range "without it at least 80 % of the waste is gone [$threads threads]" "$(awk "BEGIN { print 0.8 * $waste }")" "$waste" \
        "$(json $threads.json '$.sites[0].waste')"
done

# The clock of a replay is the program's: what was free for long is given back, though a replay does not rest.
if [ -n "$(library_of jemalloc)" ]; then
    cat > rest.c << 'EOF'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void busy(void)
{
    for (int i = 0; i < 5000; i++)
        free(memset(malloc(40000), 1, 40000));
}
int main(void)
{
    void *blocks[200];
    for (int i = 0; i < 200; i++)
        blocks[i] = memset(malloc(100000), 1, 100000);
    for (int i = 0; i < 200; i++)
        free(blocks[i]);
    usleep(60000);
    busy();
    usleep(1500000);
    busy();
    return 0;
}
EOF
    "${CC:-cc}" -O1 -fno-builtin -o rest rest.c
    record rest.db ./rest
    "$AB" replay rest.db --json --sites 0 --allocators jemalloc+MALLOC_CONF=dirty_decay_ms:300 > rest.json
    assert_range "before a rest jemalloc holds what is free" 18000000 40000000 "$(json rest.json '$.configurations[0].peak_held')"
    assert_range "after it no more" 0 5000000 "$(json rest.json '$.configurations[0].end.held')"
fi

"$AB" replay 1.db --allocators glibc,arena1 > report.txt
assert_match "what a replay cannot know is said" 'A replay cannot know:' "$(cat report.txt)"
assert_match "and what to do next" 'next: kprof-ab -- cmd' "$(cat report.txt)"

# Recordings that do not have it all, and wrong use.
"$RUN" -q -o some.db --rate 4K -- ./pinned 1 2 > /dev/null; settle some.db
"$AB" replay some.db > out.txt 2> said.txt; status=$?
assert_eq "a recording without each call" "1 kprof-ab: some.db does not have each call that was made; record with: kprof-run --rate 1 --keep all -- cmd" \
    "$status $(cat said.txt)"
"$RUN" -q -o live.db --rate 1 -- ./pinned 1 2 > /dev/null; settle live.db
assert_eq "only who asks for it keeps what was freed" 0 "$(sql live.db 'SELECT count(*) FROM event')"
"$AB" replay > out.txt 2> said.txt
assert_eq "no database is wrong usage" 2 $?
"$AB" replay nothing.db > out.txt 2> said.txt
assert_eq "a database that is not there has failed" "1 1" "$? $(wc -l < said.txt)"
KPROF_KEEP=some "$RUN" -o odd.db -- true 2> said.txt
assert_match "a wrong value of KPROF_KEEP is told" "KPROF_KEEP" "$(cat said.txt)"
"$AB" replay --help > out.txt
assert_eq "replay has help" 0 $?
