/* SPDX-License-Identifier: MIT */
/*
 * Allocation in signal handlers and jumps out of them, 1,000 signals a second on CPU time while
 * main allocates. Meant to run on lib/signal_safe.so, where both are well defined; `map` also runs
 * on any allocator because its handler only maps and unmaps.
 *
 *   signals handler|jump|map|altstack SECONDS
 *
 * Afterwards quiet_blocks() leaves 5,000 blocks of 77 bytes alive: they must all be recorded.
 */
#include "target.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

static sigjmp_buf back;
static volatile long signals, jumps;
static const char *what;

NOINLINE void quiet_blocks(void)
{
    for (int i = 0; i < 5000; i++)
        keep_pointer(malloc(77));
}

static void handler(int sig)
{
    (void)sig;
    signals++;
    if (!strcmp(what, "map")) {
        void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || munmap(p, 8192) != 0)
            abort();
        return;
    }
    for (int i = 0; i < 8; i++)
        free(keep_pointer(malloc(33)));
    if (!strcmp(what, "jump") && signals % 2) {
        jumps++;
        siglongjmp(back, 1);
    }
}

static void storm_on(int on_alternate_stack)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    if (on_alternate_stack) {
        stack_t stack = {.ss_sp = malloc(32768), .ss_size = 32768};
        sigaltstack(&stack, NULL);
        action.sa_flags |= SA_ONSTACK;
    }
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

static void storm_off(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_IGN);
}

NOINLINE static void allocate_until(double end)
{
    static volatile uint64_t random = 3;
    while (seconds_now() < end)
        for (int i = 0; i < 100; i++) {
            uint64_t state = random;
            free(keep_pointer(malloc(next_random(&state) % 300)));
            random = state;
        }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    what = argv[1];
    double end = seconds_now() + atof(argv[2]);
    sigsetjmp(back, 1);
    static volatile int on;
    if (!on) {
        on = 1;
        storm_on(!strcmp(what, "altstack"));
    }
    allocate_until(end);
    storm_off();
    quiet_blocks();
    say("# %ld signals, %ld jumps", signals, jumps);
    check(signals > 100, "the handler ran, many times");
    if (!strcmp(what, "jump"))
        check(jumps > 50, "many handlers jumped out");
    return finish();
}
