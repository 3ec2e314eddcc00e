#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# A prefork web server: the master and its workers in one database, each named; a worker that is
# killed under load and replaced, and at last the whole server killed, lose nothing.
. "$(dirname "$0")/lib_real.sh"

venv gunicorn 'gunicorn==23.0.0' || exit 0
db=$TMP/web.db
cd "$REAL" || exit 1
env KPROF_RATE=1 KPROF_SPOOL_MAX=1G KPROF_DB="$db" LD_PRELOAD="$SHIM" \
    "$VENV/bin/gunicorn" --workers 2 --bind "unix:$TMP/web" --log-file "$TMP/log" web:application \
    > "$TMP/out" 2>&1 &
server=$!
cd "$TMP" || exit 1
ask() { timeout 100 "$PYTHON" "$REAL/ask.py" "$TMP/web" "$1" >> answers 2>> ask.err; }
workers() { cat "/proc/$server/task/$server/children" 2> /dev/null; }

ask 100
both_work() { [ "$(workers | wc -w)" = 2 ]; }
wait_for 20 both_work # it starts them one after another, and the first may answer all
read -r -a first < <(workers)
if [ ${#first[@]} != 2 ]; then
    not_ok "gunicorn starts its two workers" "$(tail -n 3 out log ask.err 2>&1)"
    kill -KILL $server "${first[@]}"
    exit 1
fi
kill -KILL "${first[0]}"
replaced() { read -r -a now < <(workers) && [ ${#now[@]} = 2 ] && [[ " ${now[*]} " != *" ${first[0]} "* ]]; }
wait_for 10 replaced
assert_eq "gunicorn replaces the worker that was killed" 2 "$(workers | wc -w)"
ask 100
read -r -a last < <(workers)
kill -KILL $server "${last[@]}"
wait $server 2> /dev/null
wait_for 60 ended "$db"
assert_whole gunicorn "$db"
assert_eq "every process is named, and its Python" 0 "$(unnamed "$db")"
assert_eq "the master and three workers are there" 4 "$(sql "$db" "SELECT count(DISTINCT pid) FROM process WHERE argv LIKE '%gunicorn%'")"
assert_eq "all requests were answered" 200 "$(awk '{ n += $2 } END { print n + 0 }' answers)"
awk '{ n[$1] += $2 } END { for (pid in n) print pid, n[pid], n[pid] * 10001 }' answers | sort > expected
while read -r pid _; do echo "$pid $(kept "$db" keep "$pid")"; done < expected > found
assert_same_file "what each worker keeps is exact, the killed ones' too" expected found
