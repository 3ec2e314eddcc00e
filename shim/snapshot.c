/* SPDX-License-Identifier: MIT */
/*
 * When snapshots are taken. Host's threads, one at a time; nobody waits for another's.
 *
 * The budget: one takes no longer than about 1 ms, of large heaps a part is looked at and stands for
 * the rest; and after one that took t of CPU time none is taken before 100 t have passed. With
 * KPROF_PAGES=1 the one at the end looks at everything. A handler that has interrupted malloc must
 * not look at its arenas, so none is taken where a signal's frame is on the stack; while one is
 * being taken all signals wait.
 *
 * RSS is looked at every 20 ms, when something is sampled: what lies between two looks is not seen.
 * In Python the end is the first free after it has begun to take its modules down: at exit() there
 * is nothing left to see.
 */
#include "snapshot.h"

#include "clock.h"
#include "python.h"
#include "settings.h"
#include "signal_frame.h"
#include "slots.h"
#include "snapshot_heap.h"
#include "snapshot_malloc.h"
#include "snapshot_pymalloc.h"
#include "snapshot_smaps.h"
#include "snapshot_write.h"
#include "start.h"
#include "sys.h"

#include <errno.h>

#define LOOK_US 20000u
#define CLOCK_US 1000000u
#define MOST_US 550u     /* for one, and as much as 200 to write it down */
#define MARK_US 100000u
#define SHARE 100u       /* of the time that has to pass */
#define SLOWER 32u       /* periods grow with the age of the process: to a part of it */
#define GROWTH_BYTES (1u << 20)
#define BUSY_ABANDONED_US 10000000u
#define SMAPS_AGE_US 50000u /* a process that is younger has no mappings that need explaining */
#define SMAPS_RSS_MAX (16u << 20) /* read in 0.5 ms; those of a larger one the collector has read */
#define END_ONCE_US 2000000u

_Atomic uint64_t kp_snapshot_due_us;
int (*_Atomic kp_snapshot_python_ends)(void);

static struct {
    _Atomic uint64_t epoch;      /* of the process that the rest is about */
    _Atomic uint64_t busy_since; /* us; 0: nobody is at it */
    uint64_t number, rss, clock_us, mark_us, end_us;
} snapshots;

static void begin_in_this_process(void)
{
    uint64_t before = atomic_load(&snapshots.epoch);

    if (before == kp_state.epoch ||
        !atomic_compare_exchange_strong(&snapshots.epoch, &before, kp_state.epoch))
        return;
    snapshots.number = snapshots.rss = snapshots.clock_us = snapshots.mark_us = 0;
    snapshots.end_us = 0;
    atomic_store(&snapshots.busy_since, 0);
}

static bool take_turn(uint64_t now_us)
{
    uint64_t since = atomic_load(&snapshots.busy_since);

    return (since == 0 || now_us > since + BUSY_ABANDONED_US) &&
           atomic_compare_exchange_strong(&snapshots.busy_since, &since, now_us + 1);
}

static void watch_python(void)
{
    const char *name = kp_python.minor >= 13 ? "Py_IsFinalizing" : "_Py_IsFinalizing";
    void *function = kp_python.is_found ? kp_python_symbol(name) : NULL;

    if (function && !snapshots.end_us)
        atomic_store(&kp_snapshot_python_ends, (int (*)(void))function);
}

static uint64_t age_us(uint64_t now_us)
{
    uint64_t joined_us = kp_state.info->joined_ns / 1000;

    return now_us > joined_us ? now_us - joined_us : 0;
}

static uint64_t period(uint64_t shortest_us, uint64_t now_us)
{
    uint64_t slow = age_us(now_us) / SLOWER;

    return slow > shortest_us ? slow : shortest_us;
}

/* Everything that may not be interrupted. */
static void read_heap(struct kp_heap *heap, struct kp_snapshot_text *smaps)
{
    uint64_t all = ~0ull, before = 0;

    KP_SYS4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &before, sizeof all);
    kp_snapshot_pymalloc(heap);
    kp_snapshot_ranges(heap);
    kp_snapshot_malloc(heap);
    if (smaps)
        kp_snapshot_smaps(heap, smaps);
    KP_SYS4(SYS_rt_sigprocmask, 2, &before, NULL, sizeof before);
}

static void write_down(const struct kp_rec_snapshot *snapshot, struct kp_heap *heap,
                       struct kp_snapshot_text *smaps)
{
    uint64_t cookie;

    if (!kp_guard_enter(&cookie))
        return;
    if (kp_start_ready())
        kp_snapshot_write(kp_slot_get(&kp_self), snapshot, heap, smaps);
    kp_guard_leave();
}

static void plan(const struct kp_rec_snapshot *snapshot, uint64_t began_cpu_us)
{
    uint64_t now_us = kp_clock_us(), rest_us = (kp_clock_cpu_us() - began_cpu_us) * SHARE;

    snapshots.rss = snapshot->rss;
    snapshots.clock_us = now_us + period(CLOCK_US, now_us);
    snapshots.mark_us = now_us + (rest_us > period(MARK_US, now_us) ? rest_us
                                                                     : period(MARK_US, now_us));
    atomic_store(&kp_snapshot_due_us, now_us + (rest_us > LOOK_US ? rest_us : LOOK_US));
}

/* With the turn taken. */
static void take(enum kp_snapshot_why why, const struct kp_snapshot_rss *rss, uint64_t now_us)
{
    struct kp_rec_snapshot snapshot = {.type_number = KP_REC_SNAPSHOT | ++snapshots.number << 8,
                                       .time_us = now_us,
                                       .rss = rss->all,
                                       .rss_file = rss->file,
                                       .why = (uint8_t)why,
                                       .page_shift = kp_settings.pages ? 12 : 16};
    bool with_smaps =
        why == KP_SNAPSHOT_END && age_us(now_us) > SMAPS_AGE_US && rss->all < SMAPS_RSS_MAX;
    uint64_t began_cpu_us = kp_clock_cpu_us();
    /* Who asks for pages wants all of them: in the last one, for which nobody waits. */
    bool is_exact = why == KP_SNAPSHOT_END && kp_settings.pages;
    struct kp_heap *heap =
        kp_heap_new(snapshot.page_shift, is_exact ? UINT64_MAX : began_cpu_us + MOST_US);
    struct kp_snapshot_text *smaps = with_smaps ? kp_snapshot_text_new() : NULL;

    if (heap) {
        heap->anonymous = rss->all - rss->file;
        read_heap(heap, smaps);
        snapshot.cost_us = (uint32_t)(kp_clock_cpu_us() - began_cpu_us);
        snapshot.is_partial = heap->is_partial;
        snapshot.trim_threshold = heap->trim_threshold;
        snapshot.mmap_threshold = heap->mmap_threshold;
        write_down(&snapshot, heap, smaps);
        kp_heap_free(heap);
    }
    if (smaps)
        kp_snapshot_text_free(smaps);
    plan(&snapshot, began_cpu_us);
}

/* What an old handler has left on the stack looks like one that runs. Just after a sample its walk
 * tells; at a mark and at the end the mask has to: a handler's own signal is blocked. */
static bool is_in_handler(struct kp_slot *slot, enum kp_snapshot_why why)
{
    return why ? kp_may_be_in_handler(slot) && kp_signals_are_blocked()
               : kp_may_be_in_handler_since_walk(slot);
}

/* Is this a place where allocators may be looked at? */
static bool is_in_order(enum kp_snapshot_why why)
{
    bool answer = false;
    uint64_t cookie;

    if (!kp_guard_enter(&cookie))
        return false;
    if (kp_start_ready()) {
        struct kp_slot *slot = kp_slot_get(&kp_self);

        begin_in_this_process();
        answer = slot && !is_in_handler(slot, why);
    }
    kp_guard_leave();
    return answer;
}

static enum kp_snapshot_why reason(const struct kp_snapshot_rss *rss, uint64_t now_us)
{
    if (rss->all > snapshots.rss + snapshots.rss / 10 + GROWTH_BYTES)
        return KP_SNAPSHOT_PEAK;
    return now_us >= snapshots.clock_us ? KP_SNAPSHOT_CLOCK : 0;
}

static void look(enum kp_snapshot_why why)
{
    struct kp_snapshot_rss rss;
    uint64_t now_us = kp_clock_us();

    atomic_store(&kp_snapshot_due_us, now_us + LOOK_US);
    if (!is_in_order(why) || !take_turn(now_us))
        return;
    kp_snapshot_read_rss(&rss);
    if (!why)
        why = reason(&rss, now_us);
    if (why == KP_SNAPSHOT_END)
        snapshots.end_us = now_us;
    if (why)
        take(why, &rss, now_us);
    watch_python();
    atomic_store(&snapshots.busy_since, 0);
}

void kp_snapshot_look(void)
{
    int error = errno;

    look(0);
    errno = error;
}

void kp_snapshot_at_mark(void)
{
    uint64_t now_us = kp_clock_us();

    if (snapshots.epoch == kp_state.epoch && now_us < snapshots.mark_us)
        return;
    int error = errno;
    look(KP_SNAPSHOT_MARK);
    errno = error;
}

void kp_snapshot_at_end(void)
{
    uint64_t now_us = kp_clock_us();
    int error = errno;

    atomic_store(&kp_snapshot_python_ends, NULL);
    if (snapshots.epoch == kp_state.epoch && snapshots.end_us &&
        now_us < snapshots.end_us + END_ONCE_US)
        return;
    look(KP_SNAPSHOT_END);
    errno = error;
}
