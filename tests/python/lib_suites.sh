# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What fetch_pythons.sh and build_free_threaded.sh share: packages of Debian's other suites, from
# the mirror that this machine already uses, checked by the archive's keys, with apt's state below
# $OUT: the system's own packages and lists stay as they are.
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

mirror() # the archive that this system's own release comes from
{
    # shellcheck source=/dev/null
    . /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] || return 1
    # shellcheck disable=SC2016 # a name of apt's
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' \
        "Release: $VERSION_CODENAME" 2>/dev/null | head -1
}

apt_in() # suite, arguments of apt-get...: with a state of its own
{
    local state=$OUT/apt/$1
    shift
    apt-get -q -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" -o Dir::Etc::sourcelist="$state/sources.list" \
        -o Dir::Etc::sourceparts="$state/empty" -o Dir::Etc::preferencesparts="$state/empty" \
        -o APT::Install-Recommends=0 -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 \
        -o Acquire::Languages=none "$@"
}

prepare_suite() # suite, deb or deb-src
{
    local state=$OUT/apt/$1
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/empty" && : > "$state/status"
    echo "$2 [signed-by=$KEYS] $MIRROR $1 main" > "$state/sources.list"
    apt_in "$1" update > "$state/log" 2>&1 && ! grep -q '^[EW]:' "$state/log" && return
    echo "make pythons: no Debian $1 at this machine's mirror: $(grep '^[EW]:' "$state/log" | head -1)" >&2
    return 1
}

need_for_suites() # tool...: that they are here, and sets MIRROR
{
    local tool
    for tool; do
        command -v "$tool" > /dev/null || { echo "make pythons: needs $tool" >&2; exit 1; }
    done
    [ -r $KEYS ] || { echo "make pythons: needs the package debian-archive-keyring" >&2; exit 1; }
    MIRROR=$(mirror)
    [ -n "$MIRROR" ] || { echo "make pythons: works on Debian only" >&2; exit 1; }
}
