#!/bin/bash
# SPDX-License-Identifier: MIT
# What malloc and free cost when nothing is sampled: a program is single-stepped through both, and
# the disassembly says what the instructions were that it executed in libkprof.so. No call, lock,
# clock or system call, at most a dozen instructions, the last one a jump into the next allocator, and
# no way back through us.
. "$(dirname "$0")/../lib.sh"

need "the fast path" objdump || exit 0
objdump -d --no-show-raw-insn "$SHIM" | sed -n 's/^ *\([0-9a-f]*\):[[:space:]]*\(.*\)/\1 \2/p' > all.txt
# With no sample alive, and at a rate at which some are: the filter is not empty then.
for rate in 1G 1M; do
    KPROF_DB=$TMP/steps.db KPROF_RATE=$rate "$T/steps" "$SHIM" 30000 > steps.txt 2> err.txt
    status=$?
    if grep -q 'Operation not permitted' err.txt; then skip "the fast path" "ptrace is not permitted"; exit 0; fi
    assert_eq "the program can be stepped through [rate $rate]" 0 $status
    for name in malloc free; do
        grep "^$name " steps.txt | awk '{ print $2 }' > way.txt
        grep -v elsewhere way.txt | while read -r at; do grep "^$at " all.txt; done > executed.txt
        assert_range "$name: instructions on the unsampled way [rate $rate]" 3 12 "$(lines_of executed.txt)"
        assert_eq "$name: begins at the entry point of that name [rate $rate]" \
            "$(nm -D "$SHIM" | awk -v n=$name '$3 == n { sub(/^0*/, "", $1); print $1 }')" "$(head -1 executed.txt | cut -d' ' -f1)"
        assert_eq "$name: no call, lock, clock or system call [rate $rate]" "" \
            "$(grep -E ' (call|lock|rep|xchg|cmpxchg|rdtsc|rdtscp|syscall|cpuid|mfence|lfence|ret)' executed.txt)"
        assert_match "$name: the last one is a jump into the next allocator [rate $rate]" ' jmp +\*' "$(tail -1 executed.txt)"
        assert_eq "$name: the next allocator returns straight to the program [rate $rate]" "elsewhere $(lines_of executed.txt) elsewhere" \
            "$(awk '/elsewhere/ { if (n) printf "%d ", n; printf "elsewhere "; n = 0; next } { n++ } END { if (n) printf "%d", n }' way.txt | sed 's/ $//')"
    done
done
# The check can fail: with every allocation sampled the same measurement does find calls.
KPROF_DB=$TMP/steps.db KPROF_RATE=1 "$T/steps" "$SHIM" 10 > steps.txt 2> err.txt
grep '^malloc [^e]' steps.txt | awk '{ print $2 }' | sort -u | while read -r at; do grep "^$at " all.txt; done > executed.txt
assert_match "a sampled malloc is seen to make calls by the same measurement" ' call ' "$(cat executed.txt)"
