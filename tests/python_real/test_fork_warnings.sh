#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 90
# Python 3.12 and later warn when a process with several threads forks. The library must bring no
# thread along that makes them: the same warnings with it as without.
. "$(dirname "$0")/lib_real.sh"
. "$ROOT/tests/python/lib_python.sh"

cat > forks.py <<'E2'
import multiprocessing, os, subprocess, sys, threading, time

def nothing():
    pass

if __name__ == "__main__":
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(0.1)  # the collector is started in between
    worker = multiprocessing.get_context("fork").Process(target=nothing)
    worker.start()
    worker.join()
    subprocess.run(["true"], preexec_fn=nothing)
    print("alone", file=sys.stderr)
    sleeper = threading.Thread(target=time.sleep, args=(0.5,))
    sleeper.start()
    pid = os.fork()  # this one has to warn
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
E2
tried=0
while IFS=$'\t' read -r label python; do
    case $label in 3.1[2-9].*) ;; *) continue ;; esac
    tried=$((tried + 1))
    "$python" -W always forks.py 2> plain.err < /dev/null
    shim "$TMP/forks.db" "$python" -W always forks.py 2> kprof.err < /dev/null
    sed -i 's/pid=[0-9]*/pid=N/' plain.err kprof.err
    assert_same_file "no warning about threads at fork that was not there before [$label]" plain.err kprof.err
    assert_match "and the one that was is still there [$label]" 'DeprecationWarning.*multi-threaded' "$(sed -n '/alone/,$p' kprof.err)"
    wait_for 60 ended "$TMP/forks.db"
done < <(chosen_pythons minors)
[ $tried -gt 0 ] || skip "no new warning about threads at fork" "no Python 3.12 or later here (make pythons)"
