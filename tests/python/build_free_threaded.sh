#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds a free-threaded Python, of which Debian has no package, from the source package of one with
# a GIL, into a folder (make python-free-threaded: build/pythons/3.13t), for the tests alone. Takes
# some minutes; goes on where it was interrupted.
#
# usage: build_free_threaded.sh FOLDER
set -u -o pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib_suites.sh"
[ $# = 1 ] || { echo "usage: build_free_threaded.sh FOLDER" >&2; exit 2; }
VERSION=3.13 SUITE=trixie
mkdir -p "$1" && OUT=$(cd "$1" && pwd) || exit 1
ROOT=$OUT/${VERSION}t SOURCE=$OUT/source-${VERSION}t

unpack_source()
{
    [ -e "$SOURCE/configure" ] && return
    mkdir -p "$SOURCE" && prepare_suite "$SUITE" deb-src || return 1
    (cd "$OUT/apt/$SUITE" && apt_in "$SUITE" source --download-only --only-source "python$VERSION") > "$OUT/apt/$SUITE/log" 2>&1 ||
        { grep '^E:' "$OUT/apt/$SUITE/log" | head -1 >&2; return 1; }
    tar -x -J --strip-components=1 -C "$SOURCE" -f "$OUT/apt/$SUITE/python${VERSION}"_*.orig.tar.xz
}

build()
{
    cd "$SOURCE" || return 1
    [ -e Makefile ] || ./configure -q --disable-gil --prefix="$ROOT/usr" --with-ensurepip=no OPT='-DNDEBUG -O2 -g0' || return 1
    make -s -j"$(nproc)" && make -s altinstall
}

[ -e "$ROOT/done" ] && { echo "python ${VERSION}t: is here ($(cat "$ROOT/done"))"; exit 0; }
need_for_suites apt-get tar xz make "${CC:-cc}"
unpack_source || exit 1
build > "$OUT/${VERSION}t.log" 2>&1 || { echo "python ${VERSION}t could not be built; see $OUT/${VERSION}t.log" >&2; exit 1; }
"$ROOT/usr/bin/python${VERSION}t" -c 'import sys; print("%d.%d.%d, built" % sys.version_info[:3])' > "$ROOT/done" || exit 1
rm -rf "$SOURCE" "$OUT/apt" "$OUT/${VERSION}t.log"
echo "python ${VERSION}t: $(cat "$ROOT/done")"
