# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the tests that end tests/targets/logger at bad moments: compares its own log with the database.
. "$(dirname "$0")/../lib.sh"

start_logger() # database, log, seconds, way: in the background, its pid in $logger
{
    rm -f "$1" "$1-spool" "$2"
    LD_PRELOAD=$SHIM KPROF_DB=$1 KPROF_RATE=${RATE:-1} "$T/logger" "$2" "$3" "$4" > logger.out 2>&1 &
    logger=$!
}

# Entries of the log older than GRACE us at the end: how many are missing in the database, how many
# have another size there, how many that were freed are still alive there, how many were compared.
missing() # database, log, grace in us
{
    "$BUILD/tools/show_log" "$2" > "$2.txt"
    sqlite3 -separator '|' :memory: "ATTACH '$1' AS k" "CREATE TABLE log(thread, number, address INTEGER, size INTEGER, age INTEGER)" \
        ".import $2.txt log" \
        "CREATE TABLE last AS SELECT address, min(age) AS age FROM log GROUP BY address" \
        "CREATE INDEX i ON last(address)" \
        "CREATE TABLE alive AS SELECT log.address, log.size FROM log JOIN last USING (address, age)
            WHERE log.age > $3 GROUP BY log.address HAVING max(size = 0) = 0 OR max(rowid * (size > 0)) > max(rowid * (size = 0))" \
        "CREATE TABLE freed AS SELECT DISTINCT log.address FROM log JOIN last USING (address, age) WHERE log.age > $3
            AND log.address NOT IN (SELECT address FROM alive)" \
        "CREATE TABLE got AS SELECT s.address, s.size FROM k.sample s" "CREATE INDEX j ON got(address)" \
        "SELECT (SELECT count(*) FROM alive WHERE address NOT IN (SELECT address FROM got)),
            (SELECT count(*) FROM alive JOIN got USING (address) WHERE alive.size <> got.size),
            (SELECT count(*) FROM freed JOIN got USING (address)), (SELECT count(*) FROM alive)"
}

assert_nothing_missing() # label, database, log, grace in us, fewest entries to compare
{
    local found
    settle "$2" || { not_ok "the recording can be finished [$1]" "$(cat "$2.said")"; return 1; }
    found=$(missing "$2" "$3" "$4")
    assert_eq "nothing is missing, wrong or still alive [$1]" "0|0|0" "${found%|*}"
    assert_range "and there was something to compare [$1]" "$5" 100000000 "${found##*|}"
}
