#!/bin/bash
# SPDX-License-Identifier: MIT
# include/kprof.h: a mark is a no-op without the library and reaches it when it is preloaded; with
# every compiler here, as C and C++, position-independent or not, optimised or not, no warnings.
. "$(dirname "$0")/../lib.sh"

cat > fake.c << 'C'
#include <stdio.h>
static int marks;
void kprof_iteration(void) { marks++; }
unsigned long kprof_job_begin(void) { return 42; }
void kprof_job_end(unsigned long begun, const char *name, int ok) { marks += begun == 42 && *name == 'x' && ok; }
void kprof_rate(unsigned long bytes) { marks += bytes == 512; }
__attribute__((destructor)) static void tell(void) { printf("%d marks\n", marks); }
C
cat > program.c << 'C'
#include <kprof.h>
static void each(void (*mark)(void)) { mark(); }
int main(void)
{
    kprof_iteration();
    kprof_iteration();
    each(kprof_iteration);
    kprof_job_end(kprof_job_begin(), "x", 1);
    kprof_rate(512);
    return 0;
}
C
{ cat program.c; } > program.cc
printf '#include <kprof.h>\n' > unused.c
printf '#include <kprof.h>\n' > unused.cc

gcc -shared -fPIC -o fake.so fake.c || { not_ok "the fake library builds" "see above"; exit; }

try() # compiler, source, flags...
{
    local cc=$1 source=$2 plain under
    shift 2
    rm -f program
    if ! "$cc" -Wall -Wextra -Werror -pedantic "$@" -I "$ROOT/include" -o program "$source" "unused.${source##*.}" 2> cc.err
    then not_ok "kprof.h compiles without warnings [$cc $*]" "$(cat cc.err)"; return; fi
    plain=$(./program 2>&1; echo "status $?")
    under=$(LD_PRELOAD=./fake.so ./program 2>&1)
    assert_eq "a mark does nothing alone and counts under the library [$cc $*]" "status 0, 5 marks" "$plain, $under"
}

for flags in "-O0 -fPIE -pie" "-O2 -fPIE -pie" "-O0 -fno-pie -no-pie" "-O2 -fno-pie -no-pie" "-O2 -flto"; do
    for cc in gcc clang; do
        command -v $cc > /dev/null || { skip "kprof.h with $cc" "not here"; continue; }
        [ "$cc $flags" = "clang -O2 -flto" ] && continue # needs an LTO linker plugin of its own
        # shellcheck disable=SC2086
        try $cc program.c -std=c99 $flags
    done
    for cc in g++ clang++; do
        command -v $cc > /dev/null || { skip "kprof.h with $cc" "not here"; continue; }
        [ "$cc $flags" = "clang++ -O2 -flto" ] && continue
        # shellcheck disable=SC2086
        try $cc program.cc -std=c++98 $flags
    done
done
gcc -static -O2 -I "$ROOT/include" -o static program.c 2> cc.err && ./static
assert_eq "a static program runs with its marks" 0 $?
