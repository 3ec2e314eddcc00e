# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is for the scripts
# For the tests that end tests/targets/logger at bad moments: compares its own log with the database.
. "$(dirname "$0")/../lib.sh"

start_logger() # database, log, seconds, way: in the background, its pid in $logger
{
    rm -f "$1" "$1-spool" "$2"
    LD_PRELOAD=$SHIM KPROF_DB=$1 KPROF_RATE=${RATE:-1} "$T/logger" "$2" "$3" "$4" > logger.out 2>&1 &
    logger=$!
}

# Of the addresses in the log: how many that are alive are missing in the database, how many have
# another size there, how many that were freed are still alive there, how many alive were compared.
# A block is logged after malloc has returned, so it must be there; a free is logged before it is
# made, so the last 100 ms of frees are left out. (The two threads have addresses of their own.)
missing() # database, log
{
    "$BUILD/tools/show_log" "$2" > "$2.txt"
    sqlite3 -separator '|' :memory: "ATTACH '$1' AS k" \
        "CREATE TABLE log(thread, number INTEGER, address INTEGER, size INTEGER, age INTEGER)" ".import $2.txt log" \
        "CREATE TABLE last AS SELECT address, size, age, max(number) FROM log GROUP BY address" \
        "CREATE TABLE got AS SELECT s.address, s.size FROM k.sample s" "CREATE INDEX i ON got(address)" \
        "SELECT (SELECT count(*) FROM last WHERE size > 0 AND address NOT IN (SELECT address FROM got)),
            (SELECT count(*) FROM last JOIN got USING (address) WHERE last.size > 0 AND last.size <> got.size),
            (SELECT count(*) FROM last JOIN got USING (address) WHERE last.size = 0 AND age > 100000),
            (SELECT count(*) FROM last WHERE size > 0)"
}

assert_nothing_missing() # label, database, log, fewest blocks to compare
{
    local found
    settle "$2" || { not_ok "the recording can be finished [$1]" "$(cat "$2.said")"; return 1; }
    found=$(missing "$2" "$3")
    assert_eq "nothing is missing, wrong or still alive [$1]" "0|0|0" "${found%|*}"
    assert_range "and there was something to compare [$1]" "$4" 100000000 "${found##*|}"
}
