#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages named as arguments that are missing. As root or with sudo; where
# neither is to be had, says which are missing.
set -u
missing=
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "make deps: not a Debian system; what is needed, by Debian's names:$missing" >&2
    exit 0
fi
root=
if [ "$(id -u)" != 0 ]; then
    root=sudo
    if ! command -v sudo >/dev/null 2>&1; then
        echo "make deps: run as root: apt-get install$missing" >&2
        exit 1
    fi
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the list is meant to be split
if { $root apt-get -q update && $root apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1; then
    exit 0
fi
tail -n 20 "$log" >&2
echo "make deps: could not install$missing" >&2
exit 1
