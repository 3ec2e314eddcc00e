#!/bin/bash
# SPDX-License-Identifier: MIT
# Fetches the Pythons of Debian's other suites, with headers, shared library and test package, into
# a folder (make pythons: build/pythons), for the tests alone.
#
# A suite newer than this system needs its own C library. The unpacked interpreter is told by
# patchelf where its loader and libraries are, so it can be started, preloaded and exec'd like any
# other program. A suite older than this system runs on the system's C library.
#
# usage: fetch_pythons.sh FOLDER [VERSION...]      all: 3.9 3.13 3.14 3.15
set -u -o pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib_suites.sh"
[ $# -ge 1 ] || { echo "usage: fetch_pythons.sh FOLDER [VERSION...]" >&2; exit 2; }
mkdir -p "$1" && OUT=$(cd "$1" && pwd) || exit 1
shift
[ $# -gt 0 ] || set -- 3.9 3.13 3.14 3.15
# Packages that no test needs.
UNUSED='^(debconf|perl-base|dpkg|tar|linux-libc-dev|libc6-dev|libc-dev-bin|libcrypt-dev|libtirpc-dev|libnsl-dev|rpcsvc-proto|readline-common|netbase|gcc-.*-base|.*-gconv-modules-extra)_'

suites_of() # version: Debian's suites that have it, the steadiest first
{
    case $1 in
    3.9) echo bullseye ;;
    3.13) echo trixie forky ;;
    *) echo forky sid ;;
    esac
}

# The C library of the suite in this root, if the system's is older; otherwise it is removed.
keep_newer_libc() # root
{
    local theirs ours
    theirs=$(find "$1/usr/lib" -name 'libc.so.6' | head -1)
    theirs=$(strings -a "$theirs" | sed -n 's/^GNU C Library .* version \([0-9.]*[0-9]\)\.$/\1/p')
    ours=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
    if [ -n "$theirs" ] && [ "$theirs" != "$ours" ] && printf '%s\n' "$ours" "$theirs" | sort -VC; then return; fi
    # Every file of the package, or half of an old C library would be found first.
    sed 's,^\./,,' "$1/libc6.files" | while read -r file; do
        case $file in */ | etc/*) ;; *.so* | *ld-linux*) rm -f "$1/$file" "$1/usr/$file" ;; esac
    done
}

unpack() # suite, root
{
    local package
    mkdir -p "$2/usr/bin" "$2/usr/lib" "$2/usr/lib64" "$2/usr/sbin"
    for package in bin lib lib64 sbin; do ln -sfn usr/$package "$2/$package"; done
    for package in "$OUT/apt/$1"/archives/*.deb; do
        basename "$package" | grep -qE "$UNUSED" && continue
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$2" || return 1
        case $package in */libc6_*) dpkg-deb --fsys-tarfile "$package" | tar -t > "$2/libc6.files" ;; esac
    done
    rm -rf "$2/usr/share/doc" "$2/usr/share/man" "$2/usr/share/zoneinfo"
}

point_to_root() # root, version: loader and library path of its interpreter, and a shared twin of it
{
    local root=$1 libs=$1/usr/lib/x86_64-linux-gnu python=$1/usr/bin/python$2 loader=
    [ -e "$root/lib64/ld-linux-x86-64.so.2" ] && loader=$root/lib64/ld-linux-x86-64.so.2
    patchelf --force-rpath --set-rpath "$libs" "$python" || return 1
    if [ -n "$loader" ]; then patchelf --set-interpreter "$loader" "$python" || return 1; fi
    ${CC:-cc} -O2 -g -o "$python-shared" "$HERE/shared_main.c" -Wl,--disable-new-dtags -Wl,-rpath,"$libs" \
        ${loader:+-Wl,--dynamic-linker,$loader} -Wl,--allow-shlib-undefined -Wl,-rpath-link,"$libs" \
        "$libs/libpython$2.so.1.0"
}

fetch_from() # suite, version, root
{
    local state=$OUT/apt/$1
    prepare_suite "$1" deb || return 1
    rm -f "$state"/archives/*.deb
    if ! apt_in "$1" -y --download-only install "python$2" "libpython$2" "libpython$2-dev" "libpython$2-testsuite" \
        > "$state/log" 2>&1; then
        echo "make pythons: no python$2 in Debian $1: $(grep '^E:' "$state/log" | head -1)" >&2
        return 1
    fi
    rm -rf "$3" && mkdir -p "$3" && unpack "$1" "$3" && keep_newer_libc "$3" && point_to_root "$3" "$2" &&
        rm -rf "$state/archives"
}

runs() # root, version: also with what its libraries need
{
    "$1/usr/bin/python$2" -c 'import ssl, sqlite3, ctypes, sys; print(sys.version.split()[0])' > "$1/version" &&
        "$1/usr/bin/python$2-shared" -c 'import ssl, sqlite3, ctypes'
}

fetch() # version
{
    local suite root=$OUT/$1
    [ -e "$root/done" ] && { echo "python $1: is here ($(cat "$root/done"))"; return 0; }
    for suite in $(suites_of "$1"); do
        fetch_from "$suite" "$1" "$root" || continue
        runs "$root" "$1" || continue
        echo "$(cat "$root/version") from Debian $suite" > "$root/done"
        echo "python $1: $(cat "$root/done")"
        return 0
    done
    echo "make pythons: python $1 could not be had; its tests will be skipped" >&2
    return 1
}

need_for_suites apt-get dpkg-deb patchelf strings "${CC:-cc}"
failed=0
for version; do fetch "$version" || failed=1; done
rm -rf "$OUT/apt"
exit $failed
