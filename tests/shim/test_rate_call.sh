#!/bin/bash
# SPDX-License-Identifier: MIT
# kprof_rate(): from the call on samples are as dense as it says, coarser or finer, and every size is
# still estimated right; 0 goes back to auto; a forked child begins with it, a thread follows.
. "$(dirname "$0")/../lib.sh"

cat > rates.c << 'C'
#include <kprof.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#define FUNCTION __attribute__((noinline)) static void
static void *volatile last;
static void keep(unsigned count) { while (count--) last = malloc(100); }
FUNCTION coarse(void) { keep(500000); __asm__ volatile(""); }
FUNCTION fine(void) { keep(200000); __asm__ volatile(""); }
FUNCTION every_one(void) { keep(12345); __asm__ volatile(""); }
FUNCTION again_fine(void) { keep(200000); __asm__ volatile(""); }
FUNCTION in_child(void) { keep(200000); __asm__ volatile(""); }
FUNCTION in_thread(void) { keep(200000); __asm__ volatile(""); }
static void *thread(void *rate_is_set)
{
    pthread_barrier_t *barrier = rate_is_set;

    keep(1);
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    in_thread();
    return NULL;
}
int main(void)
{
    pthread_barrier_t barrier;
    pthread_t other;
    pid_t child;

    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&other, NULL, thread, &barrier);
    pthread_barrier_wait(&barrier);
    coarse();
    kprof_rate(1000);
    fine();
    pthread_barrier_wait(&barrier);
    pthread_join(other, NULL);
    kprof_rate(1);
    every_one();
    kprof_rate(1000);
    again_fine();
    child = fork();
    if (child == 0) {
        in_child();
        return 0;
    }
    waitpid(child, NULL, 0);
    kprof_rate(0);
    keep(1000000);
    return 0;
}
C
cc -O1 -g -fno-inline -fno-optimize-sibling-calls -pthread -I "$ROOT/include" -o rates rates.c 2> cc.err ||
    { not_ok "the program builds" "$(cat cc.err)"; exit; }

KPROF_RATE=64K shim "$TMP/rates.db" ./rates
assert_whole "rates" "$TMP/rates.db"
part() # function, column of site
{
    under rates.db "$1" "$2"
}
error_of() # function: the standard error of its bytes, in percent; so it shows how many samples there are
{
    awk -v v="$(part "$1" allocated_bytes_var)" -v b="$(part "$1" allocated_bytes)" 'BEGIN { print 100 * sqrt(v) / b }'
}

assert_range "coarse at first: 763 samples of 50 MB" 3 4.5 "$(error_of coarse)"
assert_range "50 MB all the same" 40e6 60e6 "$(part coarse allocated_bytes)"
for name in fine again_fine in_child; do
    assert_range "20,000 samples of 20 MB from the call on [$name]" 0.58 0.75 "$(error_of $name)"
    assert_range "20 MB [$name]" 19e6 21e6 "$(part $name allocated_bytes)"
done
assert_range "another thread follows after its next sample" 0.58 1.5 "$(error_of in_thread)"
assert_range "20 MB [in_thread]" 18e6 22e6 "$(part in_thread allocated_bytes)"
assert_eq "each one at 1" "1234500" "$(part every_one allocated_bytes)"
assert_range "0 is auto again: at most as fine as it goes" 512 1e9 "$(sql rates.db "SELECT rate_max FROM site WHERE id =
    (SELECT max(id) FROM site WHERE kind = 'malloc')")"
