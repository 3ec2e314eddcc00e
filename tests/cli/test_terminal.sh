#!/bin/bash
# SPDX-License-Identifier: MIT
# On a terminal a report takes its width; without one, no escape sequence ever.
. "$(dirname "$0")/cli.sh"
need "the width of a terminal is used" script stty || exit
fixture engine engine.db
if ! script -qec true /dev/null < /dev/null > typescript 2>&1; then
    skip "the width of a terminal is used" "no pseudo-terminal to be had: $(tr -d '\r' < typescript | tail -1)"
    exit 0
fi
for columns in 50 80 132; do
    for report in summary sites tree processes timeline; do
        script -qec "stty cols $columns rows 24; '$REPORT' engine.db $report" /dev/null < /dev/null > typescript 2>&1
        widest=$(python3 -c 'print(max(len(l.rstrip()) for l in open("typescript", encoding="utf-8")))')
        assert_range "$report keeps to a terminal of $columns columns" 10 $columns "$widest"
    done
done
for report in summary sites tree processes timeline; do
    assert_eq "no escape sequence in a pipe: $report" 0 "$("$REPORT" engine.db $report 2>&1 | grep -c $'\033')"
done
