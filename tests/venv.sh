#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes a virtual environment with packages below build/venv once and prints where it is. Fails,
# with the reason as its last line on stderr, when that is impossible here.
# usage: venv.sh PYTHON NAME REQUIREMENT...
set -u
python=$1 name=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)/build/venv
version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])') || exit 1
place=$root/$name-$version
mkdir -p "$root"
exec 9> "$root/$name.lock"
flock 9
wanted="$python $*"
if [ "$(cat "$place/made_of" 2> /dev/null)" != "$wanted" ]; then
    rm -rf "$place"
    {
        "$python" -m venv "$place" &&
            timeout 150 "$place/bin/python" -m pip install --quiet --disable-pip-version-check \
                --only-binary :all: --retries 1 --timeout 20 "$@"
    } > "$root/$name.log" 2>&1 || { grep -v '^ *$' "$root/$name.log" | tail -n 1 >&2; exit 1; }
    echo "$wanted" > "$place/made_of"
fi
echo "$place"
