#!/bin/bash
# SPDX-License-Identifier: MIT
# kprof-run: options become variables, it becomes the command, and says before the run what would
# leave the user without a recording.
. "$(dirname "$0")/cli.sh"
unset LD_PRELOAD
export KPROF_QUIET=1

variables() # options...: what the command gets to see
{
    "$RUN" -o seen.db "$@" -- env 2> stderr.txt | grep -E '^(KPROF_(DB|RATE|BUDGET|ITERATION|FOLLOW|SPOOL_MAX|QUIET)|LD_PRELOAD)=' | sort | tr '\n' ' '
}

assert_eq "options become variables" \
    "KPROF_BUDGET=2.5% KPROF_DB=seen.db KPROF_FOLLOW=none KPROF_ITERATION=app:run KPROF_QUIET=1 KPROF_RATE=64KiB KPROF_SPOOL_MAX=64M LD_PRELOAD=$SHIM " \
    "$(variables --rate 64KiB --budget=2.5% --iteration app:run --follow none --spool-max 64M --quiet)"
assert_eq "what was preloaded stays, behind ours" "LD_PRELOAD=$SHIM:libm.so.6" \
    "$(LD_PRELOAD=libm.so.6 "$RUN" -o seen.db -- env 2>/dev/null | grep ^LD_PRELOAD)"
for status in 0 7 255; do
    "$RUN" -o status.db sh -c "exit $status" 2> stderr.txt
    assert_eq "the exit status is the command's: $status" $status $?
done
"$RUN" -o status.db -- sh -c 'kill -TERM $$' 2> stderr.txt
assert_eq "a signal ends it like the command" 143 $?
assert_eq "it becomes the command: same pid" yes "$(sh -c 'echo $$; exec "$0" -o pid.db -- sh -c "echo \$\$"' "$RUN" 2>/dev/null | uniq | wc -l | sed 's/^ *1$/yes/')"
assert_eq "options behind the command are the command's" "-o x --help" "$("$RUN" -o own.db echo -o x --help 2>/dev/null)"

refuse "no command" 2 "^kprof-run: which command\? usage: kprof-run" "$RUN"
refuse "no command behind --" 2 "which command\?" "$RUN" -o a.db --
refuse "an unknown option" 2 "no such option: --frob; see --help" "$RUN" --frob true
for wrong in fast 0 -1 4Q 1.5K 99999G ""; do
    refuse "--rate '$wrong'" 2 "rate: '$wrong' is not auto, or a size from 1 to 1024G$" "$RUN" --rate "$wrong" true
done
for wrong in lots 0 101 1%% -3 1e1 ""; do
    refuse "--budget '$wrong'" 2 "budget: '$wrong' is not a percentage from 0.0001 to 100$" "$RUN" --budget "$wrong" true
done
refuse "--follow some" 2 "follow: 'some' is not all, fork or none$" "$RUN" --follow some true
refuse "--spool-max 1K" 2 "spool-max: '1K' is not a size from 1M to 4G$" "$RUN" --spool-max 1K true
refuse "--iteration without a function" 2 "iteration: 'app:' is not of the form module:function$" "$RUN" --iteration app: true
refuse "an unknown allocator" 2 "allocator: 'hoard' is not glibc, mimalloc, jemalloc, tcmalloc or a path" "$RUN" --allocator hoard true
refuse "an allocator's file that is not there" 1 "no such library: \./none\.so" "$RUN" --allocator ./none.so true
mkdir -p 'with space' && cp "$SHIM" 'with space/lib.so'
refuse "a path that LD_PRELOAD cannot hold" 1 "cannot hold a path with a space" "$RUN" --allocator 'with space/lib.so' true
refuse "a command that is not there" 127 "^kprof-run: nosuchcommand: command not found$" "$RUN" nosuchcommand
refuse "a path that is not there" 127 "\./nosuch: command not found" "$RUN" ./nosuch
echo hello > plain && refuse "a file that is no program" 126 "^kprof-run: \./plain: cannot be executed$" "$RUN" ./plain
refuse "a directory" 126 "cannot be executed" "$RUN" /tmp
cp "$RUN" alone && refuse "without the library" 1 "cannot find libkprof.so beside kprof-run" ./alone true

for name in mimalloc jemalloc tcmalloc; do
    seen=$("$RUN" -o allocator.db --allocator $name -- env 2> stderr.txt | sed -n 's/^LD_PRELOAD=//p')
    if [ -z "$seen" ]; then
        assert_match "$name is not here: the package is named" "$name is not installed here; on Debian: apt install lib" "$(cat stderr.txt)"
        skip "--allocator $name" "not installed"
        continue
    fi
    assert_match "--allocator $name is behind ours" "^$SHIM:/.*lib${name}[^:]*\$" "$seen"
done
assert_eq "--allocator glibc adds nothing" "$SHIM" "$("$RUN" -o allocator.db --allocator glibc -- env 2>/dev/null | sed -n 's/^LD_PRELOAD=//p')"

warns() # what, message, command...
{
    local what=$1 message=$2 status
    shift 2
    "$RUN" -o warned.db "$@" > stdout.txt 2> stderr.txt
    status=$?
    assert_eq "$what: it runs all the same" 3 $status
    assert_match "$what: one line says that it is not recorded" "^1 kprof-run: warning: .*$message.*: it is not recorded$" \
        "$(lines_of stderr.txt) $(head -1 stderr.txt)"
}
echo 'int main(void) { return 3; }' > three.c
if gcc -static -o static three.c 2> cc.err; then
    warns "a static program" "static is statically linked" ./static
    printf '#!%s/static\n' "$TMP" > script && chmod +x script
    warns "a script for a static interpreter" "script is statically linked" ./script
    printf '#!/usr/bin/env -S %s/static x\n' "$TMP" > script && chmod +x script
    warns "through env" "script is statically linked" ./script
else
    skip "a static program is told" "no static libc here"
fi
gcc -static-pie -o static_pie three.c 2> cc.err && warns "a static PIE" "is statically linked" ./static_pie
if [ "$(id -u)" = 0 ]; then
    gcc -o setuid three.c && chown 65534 setuid && chmod u+s,a+rx setuid && warns "a set-uid program" "set-uid" ./setuid
fi
gcc -o plain_program three.c && "$RUN" -o plain.db ./plain_program 2> stderr.txt
assert_eq "no warning for an ordinary program" "3 " "$? $(cat stderr.txt)"
printf '#!/bin/sh\nexit 3\n' > script && "$RUN" -o plain.db ./script 2> stderr.txt
assert_eq "no warning for an ordinary script" "3 " "$? $(cat stderr.txt)"

help=$("$RUN" --help)
missing=
while read -r variable; do
    grep -q "^  $variable=" <<< "$help" || missing="$missing $variable"
done < <(sed -n 's/^ *X("\(KPROF_[A-Z_]*\)".*/\1/p' "$ROOT/shim/record/settings_table.h")
assert_eq "--help has every variable of the table" "" "$missing"
assert_match "--version" "^kprof-run [0-9]" "$("$RUN" --version)"

# Inside another recording: one of its own, again and again (the first is finished then: it would stay otherwise).
# shellcheck disable=SC2016 # for the inner shell
shim "$TMP/outer.db" sh -c '"$0" -o inner.db sh -c "exit 0"; while [ -e inner.db-spool ]; do sleep 0.05; done; "$0" -o inner.db -- /bin/echo again' \
    "$RUN" > stderr.txt 2>&1
settle "$TMP/inner.db"
assert_eq "inside another recording it makes its own, which the next one replaces" "inner.db|echo" \
    "$(echo inner*.db)|$(sql inner.db "SELECT DISTINCT replace(exe, rtrim(exe, replace(exe, '/', '')), '') FROM process")"
settle "$TMP/outer.db"
