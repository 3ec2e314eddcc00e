/* SPDX-License-Identifier: MIT */
/*
 * When totals are taken, and RSS. Host's threads, one at a time; the others' marks go without.
 *
 * The budget: after totals that took t of CPU time, none before 100 t have passed, so they never
 * take more than 1 % of the time. The first ones are dearer, or a short run had none: the first 10
 * come with their marks whatever they cost, the next 90 may take 10 %, or 2 % where each takes
 * longer than a millisecond.
 *
 * The allocator is asked through its own functions, which take its locks: a signal handler that has
 * interrupted malloc must not do that.
 */
#include "totals.h"

#include "clock.h"
#include "signal_frame.h"
#include "sys.h"
#include "totals_malloc.h"
#include "totals_python.h"

#define ALWAYS 10u
#define OFTEN 100u
#define PAGE_BYTES 4096u
#define ABANDONED_US 10000000u
#define DEAR_NS 1000000u

static struct {
    _Atomic uint64_t epoch;      /* of the process that the rest is about */
    _Atomic uint64_t busy_since; /* us; 0: nobody is at it */
    uint32_t taken;
    uint64_t began_us, began_cpu_ns;
    _Atomic uint64_t due_us;
} totals;

static void begin_in_this_process(void)
{
    uint64_t before = atomic_load(&totals.epoch);

    if (before != kp_state.epoch &&
        atomic_compare_exchange_strong(&totals.epoch, &before, kp_state.epoch)) {
        totals.taken = 0;
        atomic_store(&totals.due_us, 0);
        atomic_store(&totals.busy_since, 0);
    }
}

/* Who has begun long ago was left by a handler that jumped away: the turn is anybody's again. */
static bool take_turn(uint64_t now_us)
{
    uint64_t since = atomic_load(&totals.busy_since);

    return (since == 0 || now_us > since + ABANDONED_US) &&
           atomic_compare_exchange_strong(&totals.busy_since, &since, now_us + 1);
}

/* Of very many marks the reader keeps those whose numbers a power of two divides: totals wait for
 * a mark that will be kept, for 0.1 % of the run at most. */
static bool will_be_kept(uint64_t number)
{
    uint64_t step = number < 2048 ? 1 : 1ull << (63 - __builtin_clzll(number / 1024));

    return number % step == 0;
}

static void put_off(uint64_t now_us, uint64_t cost_ns, unsigned times)
{
    atomic_store(&totals.due_us, now_us + cost_ns * times / 1000);
}

/* To look in vain has its price too: a deep stack is long to read. */
static bool is_handler(struct kp_slot *slot, uint64_t now_us)
{
    uint64_t before = kp_sys_clock_ns(CLOCK_MONOTONIC);

    if (!kp_may_be_in_handler(slot))
        return false;
    put_off(now_us, kp_sys_clock_ns(CLOCK_MONOTONIC) - before, 100);
    return true;
}

bool kp_totals_are_due(struct kp_slot *slot, uint64_t number, uint64_t now_us)
{
    begin_in_this_process();
    if (!will_be_kept(number) ||
        now_us < atomic_load_explicit(&totals.due_us, memory_order_relaxed) ||
        is_handler(slot, now_us) || !take_turn(now_us))
        return false;
    totals.began_us = now_us;
    totals.began_cpu_ns = kp_sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return true;
}

/* The second figure of statm, in pages. */
static uint64_t read_rss(void)
{
    char text[128], *at = text;
    uint64_t pages = 0;
    long bytes = kp_sys_read_file("/proc/self/statm", text, sizeof text - 1);

    if (bytes <= 0)
        return KP_TOTAL_UNKNOWN;
    text[bytes] = 0;
    while (*at && *at != ' ')
        at++;
    if (*at != ' ')
        return KP_TOTAL_UNKNOWN;
    for (at++; *at >= '0' && *at <= '9'; at++)
        pages = pages * 10 + (uint64_t)(*at - '0');
    return pages * PAGE_BYTES;
}

static void account(void)
{
    uint64_t cost_ns = kp_sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - totals.began_cpu_ns;

    totals.taken++;
    if (totals.taken >= OFTEN)
        put_off(totals.began_us, cost_ns, 100);
    else if (totals.taken >= ALWAYS)
        put_off(totals.began_us, cost_ns, cost_ns < DEAR_NS ? 10 : 50);
}

void kp_totals_take(struct kp_rec_totals *record)
{
    record->rss = read_rss();
    kp_totals_of_malloc(&record->malloc_used, &record->malloc_held);
    kp_totals_of_python(record);
    account();
    atomic_store(&totals.busy_since, 0);
}
