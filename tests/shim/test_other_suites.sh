#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 240
# long-limit: 1800
# The test-suite of a program that nobody here wrote, from Debian's sources, passes under the library
# as without it: zlib's here, zstd's as well with --long. The sources come from the machine's own
# package mirror, with a private apt configuration that adds the source packages to what it has.
. "$(dirname "$0")/../lib.sh"

need "other people's test-suites" apt-get dpkg-source make || exit 0

prepare_apt() # a private copy of the sources, with deb-src
{
    mkdir -p apt/lists/partial apt/cache/archives/partial apt/parts
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -e "$file" ] && sed -n 's/^deb \(.*debian.*\)/deb-src \1/p' "$file"
    done > apt/sources.list
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] && grep -q '^URIs:.*debian' "$file" && sed 's/^Types:.*/Types: deb-src/' "$file" > "apt/parts/$(basename "$file")"
    done
    cat > apt/conf << END
Dir::Etc::SourceList "$TMP/apt/sources.list";
Dir::Etc::SourceParts "$TMP/apt/parts";
Dir::State::Lists "$TMP/apt/lists";
Dir::Cache "$TMP/apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
    export APT_CONFIG=$TMP/apt/conf
    timeout 60 apt-get -qq update > apt/log 2>&1 && ! grep -q '^E:' apt/log
}

source_of() # package: unpacked into ./package
{
    timeout 90 apt-get -qq source --download-only "$1" > apt/log 2>&1 &&
        dpkg-source --no-check -x "$1"_*.dsc "$1" > apt/log 2>&1
}

compare() # name, rate, command...: the same output and status with the library
{
    local name=$1 rate=$2
    shift 2
    "$@" > plain.txt 2>&1
    local plain=$?
    assert_eq "$name: its tests pass without us" 0 $plain
    KPROF_RATE=$rate shim "$TMP/$name-$rate.db" "$@" > ours.txt 2>&1
    local ours=$?
    assert_eq "$name: its tests pass under the library [rate $rate]" $plain $ours
    assert_same_file "$name: with the same output [rate $rate]" plain.txt ours.txt
    assert_whole "$name, rate $rate" "$TMP/$name-$rate.db"
    assert_range "$name: and they were recorded [rate $rate]" 2 100000 "$(sql "$TMP/$name-$rate.db" 'SELECT count(*) FROM process')"
}

prepare_apt || { skip "other people's test-suites" "no source packages: $(tail -1 apt/log)"; exit 0; }
if source_of zlib; then
    (cd zlib && ./configure && make -j2 all) > build.txt 2>&1 || not_ok "zlib builds" "$(tail -3 build.txt)"
    compare zlib 1 make -s -C zlib test
    compare zlib auto make -s -C zlib test
else
    skip "zlib's test-suite" "$(tail -1 apt/log)"
fi
[ "$LONG" = 1 ] || exit 0
if source_of libzstd; then
    (cd libzstd && make -j2 -C tests fuzzer zstreamtest) > build.txt 2>&1 || not_ok "zstd builds" "$(tail -3 build.txt)"
    # shellcheck disable=SC2016
    compare zstd auto sh -c \
        'cd libzstd/tests && for t in "./fuzzer -s1 -i300" "./zstreamtest -s1 -i100"; do $t 2>&1 | tr "\r" "\n" | grep -o "[0-9]* fuzzer tests completed" || exit 1; done'
else
    skip "zstd's test-suite" "$(tail -1 apt/log)"
fi
