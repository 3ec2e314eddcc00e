#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 120
# LD_PRELOAD in all orders with the other allocators, and with another library that finds the
# next malloc by dlsym (which may call calloc). Behind ours: profiled, and named. In front: they
# serve malloc, we see nothing of it, and the program runs.
. "$(dirname "$0")/../lib.sh"

library() { ldconfig -p 2>/dev/null | sed -n "s,.*=> \(.*/$1\)\$,\1,p" | head -1; }
command -v ldconfig > /dev/null || PATH=$PATH:/sbin:/usr/sbin

try() # label, target, preload list, recorded|unseen, allocator
{
    local label="$1, $2" db=$TMP/$1-$2.db function=mixed_blocks expected="6000|900000" args=2
    [ "$2" = mixed_objects ] && function=kept_objects expected="2000|240000" args=
    KPROF_DB=$db KPROF_RATE=1 self_checking "$label" env LD_PRELOAD="$3" "$T/$2" $args
    assert_whole "$label" "$db" || return
    [ "$4" = unseen ] && expected="0|0"
    assert_eq "what the program leaves alive is $4 [$label]" "$expected" \
        "$(under "$db" $function live_count)|$(under "$db" $function live_bytes)"
    [ "$4" = unseen ] ||
        assert_match "the allocator that serves malloc is named [$label]" "$5" "$(sql "$db" 'SELECT allocator FROM process LIMIT 1')"
}

for target in mix mixed_objects; do
    try glibc $target "$SHIM" recorded 'libc\.so'
    try interpose-in-front $target "$T/lib/interpose.so:$SHIM" recorded 'libc\.so'
    try interpose-behind $target "$SHIM:$T/lib/interpose.so" recorded 'interpose\.so'
done
for name in libmimalloc.so.2 libjemalloc.so.2 libtcmalloc_minimal.so.4; do
    path=$(library $name)
    [ -n "$path" ] || { skip "beside $name" "it is not installed"; continue; }
    for target in mix mixed_objects; do
        try "$name-behind" $target "$SHIM:$path" recorded "${name%.so*}"
        try "$name-in-front" $target "$path:$SHIM" unseen
        try "$name-and-interpose" $target "$T/lib/interpose.so:$SHIM:$path" recorded "${name%.so*}"
    done
done
