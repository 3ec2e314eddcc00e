#!/bin/bash
# SPDX-License-Identifier: MIT
# Wrong usage of kprof-report: exit 2 and one line that says what would be right; help and version.
. "$(dirname "$0")/cli.sh"
fixture engine engine.db

expect "help" help.txt "$REPORT" --help
for report in summary sites tree processes timeline; do
    expect "help of $report" help_$report.txt "$REPORT" $report --help
done
assert_match "version" "^kprof-report [0-9]+\.[0-9]+" "$("$REPORT" --version)"

refuse "no database, none here" 2 "which database\? usage" env -C / "$REPORT"
mkdir some && touch some/kprof-a-1.db some/kprof-b-2.db
refuse "no database, but some are here" 2 "which database\? there is kprof-a-1.db, kprof-b-2.db$" env -C some "$REPORT"
refuse "a report without a database" 2 "which database\?" env -C some "$REPORT" sites
refuse "an unknown report" 2 "no report 'sights'; there are summary, sites, tree" "$REPORT" engine.db sights
refuse "an unknown option" 2 "no such option: --frobnicate" "$REPORT" engine.db --frobnicate
refuse "too many words" 2 "too many arguments: 'more'" "$REPORT" engine.db sites more
refuse "an option without its value" 2 "^kprof-report: --top needs a value: N$" "$REPORT" engine.db --top
refuse "a value where none belongs" 2 "json takes no value" "$REPORT" engine.db --json=yes
refuse "no number" 2 "top: 'ten' is not a whole number from 1 to 1000000000$" "$REPORT" engine.db --top ten
refuse "a number too low" 2 "top: '0' is not a whole number from 1 to" "$REPORT" engine.db --top 0
refuse "a number too high" 2 "top: '99999999999999999999' is not" "$REPORT" engine.db --top 99999999999999999999
refuse "no size" 2 "min: 'big' is not a size from 0 to 8E, such as" "$REPORT" engine.db sites --min big
refuse "an unknown kind" 2 "kind: 'heap' is not malloc, new, mmap, object, mem, reserve, arena or all$" "$REPORT" engine.db --kind heap
refuse "an unknown order" 2 "sort: 'size' is not one of live, allocated, count" "$REPORT" engine.db --sort size
refuse "an unknown group" 2 "group: 'file' is not one of stack, line, function, module, python-line, native-line" "$REPORT" engine.db sites --group file
refuse "an option of another report" 2 "depth does not go with sites; see kprof-report sites --help" "$REPORT" engine.db sites --depth 3
refuse "two formats" 2 "json or --csv, not both" "$REPORT" engine.db --json --csv
refuse "no such process" 1 "no process 1 in engine.db; see: kprof-report engine.db processes" "$REPORT" engine.db --process 1
refuse "no such site" 1 "no site 7, there are 6; see: kprof-report engine.db sites" "$REPORT" engine.db sites --site 7
refuse "no such site in JSON" 1 "no site 7" "$REPORT" engine.db sites --site 7 --json
"$REPORT" engine.db > /dev/full 2> err.txt
assert_eq "a full disk: exit 1 and one line" "1 kprof-report: cannot write the report: is the disk full?" "$? $(cat err.txt)"
for command in kprof-report kprof-ab kprof-run kprof-collect; do
    for option in --help --version; do
        "$BUILD/$command" $option > /dev/full 2> err.txt
        assert_eq "$command $option to a full disk: exit 1 and one line" \
            "1 $command: cannot write this text: is the disk full?" "$? $(cat err.txt)"
    done
done
