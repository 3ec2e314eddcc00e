/* SPDX-License-Identifier: MIT */
/*
 * The controller of `auto`. Runs on whichever thread takes the sample that makes it due, at most
 * one at a time, with the guard set.
 *
 * What counts as cost: the ticks of each sample and of each sampled free, and a fixed price for
 * each free() that the filter let through in vain. A tick count that is absurdly long (the thread
 * was descheduled in between) counts as SAMPLE_TICKS_MAX. What it can't see (the caches that a
 * sample spoils, and that the collector works beside us) is covered by HEADROOM: paired runs showed
 * two to three times what the ticks did.
 *
 * The law: cost per second is proportional to 1/R. So R is scaled by share/goal, where the goal is
 * the budget less what was overspent during the last seconds; upwards at once, downwards by half.
 */
#include "rate.h"

#include "gap.h"
#include "live.h"
#include "start.h"

#include <stdatomic.h>

#define ADJUST_US 20000
#define ADJUST_SAMPLES 512
/* Less than that says little: in it one sample that the system interrupted looks like the price of
 * all, and on a busy machine R went to its maximum by a few of them. */
#define WINDOW_CPU_NS 5000000
#define STUCK_US 2000000
#define SAMPLE_TICKS_MAX 100000
/* While a process is young most of a sample's cost is paid once (first look at a table, first page
 * of a chunk): that much of it says what the next ones will cost. */
#define YOUNG_CPU_NS 1000000000u
#define YOUNG_TICKS_MAX 12000
#define PROBE_NS 12.0
#define HEADROOM 0.4
#define DEBT_SECONDS 0.5
/* Beyond so many live samples their table must stay small beside the heap. */
#define LIVE_FREE_OF_CHARGE 65536u
#define RATE_WITH_MANY_LIVE 4096u

static struct {
    _Atomic uint64_t now;
    _Atomic uint32_t busy;
    uint64_t last_us, last_cpu_ns, first_us, first_ticks;
    double last_cost_ns, debt_ns, ns_per_tick;
    _Atomic uint64_t probes;
    _Atomic uint64_t once_ticks; /* of young samples, what was paid once */
} rate;

uint64_t kp_rate_now(void)
{
    return atomic_load_explicit(&rate.now, memory_order_relaxed);
}

static void set(uint64_t bytes)
{
    struct kp_process_info *info = kp_state.info;

    atomic_store_explicit(&rate.now, bytes, memory_order_relaxed);
    if (!info)
        return;
    info->rate_now = bytes;
    if (info->rate_min == 0 || bytes < info->rate_min)
        info->rate_min = bytes;
    if (bytes > info->rate_max)
        info->rate_max = bytes;
}

void kp_rate_init(void)
{
    rate.first_us = rate.last_us = kp_clock_us();
    rate.first_ticks = kp_ticks();
    rate.last_cpu_ns = kp_sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    rate.last_cost_ns = rate.debt_ns = 0;
    rate.ns_per_tick = 0.4;
    rate.probes = rate.once_ticks = 0;
    rate.busy = 0;
    set(kp_settings.rate_bytes ? kp_settings.rate_bytes
                               : (rate.now ? kp_rate_now() : KP_RATE_START));
}

__attribute__((visibility("default"))) void kprof_rate(uint64_t bytes)
{
    uint64_t cookie;

    if (!kp_guard_enter(&cookie))
        return;
    if (kp_start_ready()) {
        kp_settings.rate_bytes = bytes;
        kp_state.info->fixed_rate = 0;
        set(bytes ? bytes : kp_rate_now());
        /* What is left of an exponential gap is as long as a new one. */
        if (kp_self.rate != 0 && kp_self.epoch == kp_state.epoch)
            kp_gap_draw(&kp_self, kp_rate_now());
    }
    kp_guard_leave();
}

/* Ticks of all samples and frees of them, and the filter's misses, so far. */
static double cost_ns(void)
{
    uint64_t ticks = 0, probes = rate.probes;

    for (uint32_t i = 0; i < kp_state.slot_count; i++) {
        struct kp_slot *slot = kp_state.slots[i];

        if (!slot)
            continue;
        ticks += atomic_load_explicit(&slot->cost_ticks, memory_order_relaxed);
        probes += atomic_load_explicit(&slot->probes, memory_order_relaxed);
    }
    return (double)ticks * rate.ns_per_tick + (double)probes * PROBE_NS;
}

static void calibrate(uint64_t now_us)
{
    uint64_t us = now_us - rate.first_us;

    if (us > 2000)
        rate.ns_per_tick = (double)us * 1000 / (double)(kp_ticks() - rate.first_ticks);
}

static uint64_t clamp(double bytes)
{
    uint64_t floor = kp_live_count() > LIVE_FREE_OF_CHARGE ? RATE_WITH_MANY_LIVE : KP_RATE_MIN;

    if (bytes < (double)floor)
        return floor;
    return bytes > KP_RATE_MAX ? KP_RATE_MAX : (uint64_t)bytes;
}

/* New R from what was spent in the last window. */
static uint64_t next_rate(double spent_ns, double cpu_ns)
{
    double budget = (double)kp_settings.budget_ppm * 1e-6 * HEADROOM, now = (double)kp_rate_now();
    double most = budget * DEBT_SECONDS * 1e9, goal, factor;

    rate.debt_ns += spent_ns - budget * cpu_ns;
    if (rate.debt_ns > most)
        rate.debt_ns = most;
    if (rate.debt_ns < -most)
        rate.debt_ns = -most;
    goal = budget * (1 - 0.5 * rate.debt_ns / most);
    factor = spent_ns / cpu_ns / goal;
    if (factor < 0.5)
        factor = 0.5;
    if (factor > 32)
        factor = 32;
    return clamp(now * factor);
}

static void publish(struct kp_process_info *info, double cost, uint64_t cpu_ns, uint64_t now_us)
{
    info->sampling_ns = (uint64_t)cost;
    info->cpu_ns = cpu_ns;
    if (info->late_cpu_ns == 0 && now_us - info->joined_ns / 1000 > 1000000) {
        info->late_sampling_ns = (uint64_t)cost;
        info->late_cpu_ns = cpu_ns;
    }
}

static void adjust(uint64_t now_us, bool is_by_many)
{
    uint64_t cpu_ns = kp_sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    double cost, typical, cpu_spent;

    rate.last_us = now_us;
    calibrate(now_us);
    cost = cost_ns();
    publish(kp_state.info, cost, cpu_ns, now_us);
    typical = cost - (double)rate.once_ticks * rate.ns_per_tick;
    cpu_spent = (double)(int64_t)(cpu_ns - rate.last_cpu_ns);
    if (!is_by_many && cpu_spent < WINDOW_CPU_NS)
        return; /* the window goes on */
    if (cpu_spent < 20000)
        cpu_spent = 20000;
    if (!kp_settings.rate_bytes)
        set(next_rate(typical - rate.last_cost_ns, cpu_spent));
    rate.last_cost_ns = typical;
    rate.last_cpu_ns = cpu_ns;
}

static void add_cost(struct kp_slot *slot, uint64_t began)
{
    if (!began)
        return;
    uint64_t ticks = kp_ticks() - began;

    if (ticks > SAMPLE_TICKS_MAX)
        ticks = SAMPLE_TICKS_MAX;
    if (kp_settings.rate_bytes)
        ticks *= KP_RATE_MEASURED;
    if (ticks > YOUNG_TICKS_MAX && rate.last_cpu_ns < YOUNG_CPU_NS)
        atomic_fetch_add_explicit(&rate.once_ticks, ticks - YOUNG_TICKS_MAX, memory_order_relaxed);
    atomic_store_explicit(&slot->cost_ticks, slot->cost_ticks + ticks, memory_order_relaxed);
}

void kp_rate_account(struct kp_slot *slot, uint64_t began)
{
    bool is_by_many = ++slot->since_adjust >= ADJUST_SAMPLES;

    add_cost(slot, began);
    /* The slot's clock is coarse and may lie behind last_us. */
    if (!is_by_many && slot->time_us < rate.last_us + ADJUST_US)
        return;
    slot->since_adjust = 0;
    /* Busy for long: a signal handler has jumped out of it. */
    if (!atomic_exchange_explicit(&rate.busy, 1, memory_order_acquire) ||
        slot->time_us > rate.last_us + STUCK_US) {
        adjust(kp_clock_us(), is_by_many);
        atomic_store_explicit(&rate.busy, 0, memory_order_release);
    }
}

void kp_rate_account_free(struct kp_slot *slot, uint64_t began)
{
    add_cost(slot, began);
}

void kp_rate_probe(void)
{
    struct kp_slot *slot = kp_self.epoch == kp_state.epoch ? kp_self.slot : NULL;

    if (slot)
        atomic_store_explicit(&slot->probes, slot->probes + 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&rate.probes, 1, memory_order_relaxed);
}

void kp_rate_settle(void)
{
    if (!kp_state.info)
        return;
    calibrate(kp_clock_us());
    publish(kp_state.info, cost_ns(), kp_sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID), kp_clock_us());
}
