#!/bin/bash
# SPDX-License-Identifier: MIT
# Nobody takes our closing line: a pipe without a reader, a file that may not grow. The kernel sends
# a signal then that would kill the program. It ends as without us, and its data are there.
. "$(dirname "$0")/../lib.sh"

need "a deaf stderr" python3 || exit 0
export KPROF_QUIET=0
cat > start.py << 'EOF'
import os, resource, signal, subprocess, sys

def start(preload, stderr, small):
    def before():
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if small:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
    env = {**os.environ, "KPROF_DB": "small.db" if small else "pipe.db", **({"LD_PRELOAD": sys.argv[1]} if preload else {})}
    return subprocess.run(["sh", "-c", "exit 7"], env=env, stderr=stderr, preexec_fn=before).returncode

reader, writer = os.pipe()
os.close(reader)
full = open("full.txt", "wb")
full.seek(1 << 26)
for preload in (False, True):
    print(start(preload, writer, False), start(preload, full, True))
EOF
python3 start.py "$SHIM" > said.txt
assert_eq "the program ends as without us: nobody reads, no byte more in the file" "7 7;7 7;" "$(tr '\n' ';' < said.txt)"
for db in pipe small; do
    settle $db.db
    assert_eq "it is recorded [$db]" 1 "$(sql $db.db 'SELECT count(*) FROM process')"
done
