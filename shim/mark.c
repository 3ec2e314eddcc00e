/* SPDX-License-Identifier: MIT */
/*
 * Marks an iteration. Host's threads, also in signal handlers.
 *
 * The number is taken first, so that it is right whatever comes after. Totals ask the allocator,
 * which takes its locks and may map memory: outside the guard, as everything that is not ours.
 * Mark and totals are then written together, into one chunk.
 */
#include "mark.h"

#include "clock.h"
#include "iteration.h"
#include "slots.h"
#include "snapshot.h"
#include "spool.h"
#include "start.h"
#include "state.h"
#include "totals.h"

#include <errno.h>

#define KP_EXPORT __attribute__((visibility("default")))

KP_EXPORT void kprof_iteration(void);
KP_EXPORT uint64_t kprof_job_begin(void);
KP_EXPORT void kprof_job_end(uint64_t begun, const char *name, int succeeded);

static bool has_room(struct kp_slot *slot, uint32_t bytes)
{
    if (!slot || !kp_spool_prepare(slot, slot->rate))
        return false;
    /* The chunk ends after a small record: the next one. */
    return kp_spool_reserve(slot, bytes) ||
           (kp_spool_prepare(slot, slot->rate) && kp_spool_reserve(slot, bytes));
}

/* With the guard set. */
static void write_mark(struct kp_slot *slot, const struct kp_rec_mark *mark,
                       struct kp_rec_totals *totals)
{
    struct kp_rec_mark *record;
    uint32_t bytes = sizeof *record + (totals ? sizeof *totals : 0);

    if (!has_room(slot, bytes))
        return;
    record = kp_spool_reserve(slot, bytes);
    *record = *mark;
    if (totals) {
        totals->type_iteration =
            KP_REC_TOTALS | (mark->type_iteration & ~(KP_MARK_AT_BEGIN | 0xff));
        *(struct kp_rec_totals *)(record + 1) = *totals;
    }
    kp_spool_publish(slot, bytes);
}

static void write_with_totals(const struct kp_rec_mark *mark)
{
    struct kp_rec_totals totals;
    uint64_t cookie;

    kp_totals_take(&totals);
    if (!kp_guard_enter(&cookie))
        return;
    if (kp_start_ready())
        write_mark(kp_slot_get(&kp_self), mark, &totals);
    kp_guard_leave();
}

void kp_mark(uint64_t where)
{
    struct kp_rec_mark mark = {0};
    uint64_t cookie, number;
    bool with_totals = false;
    int error = errno;

    if (!kp_guard_enter(&cookie)) {
        if (kp_state.epoch) /* a handler in the middle of our own code: counted at least */
            atomic_fetch_add(&kp_state.iteration, 1);
        return;
    }
    if (kp_start_ready()) {
        struct kp_slot *slot = kp_slot_get(&kp_self);

        number = atomic_fetch_add(&kp_state.iteration, 1) + 1;
        mark = (struct kp_rec_mark){KP_REC_MARK | number << 8 | where, kp_clock_us()};
        with_totals = slot && kp_totals_are_due(slot, number, mark.time_us);
        if (!with_totals)
            write_mark(slot, &mark, NULL);
    }
    kp_guard_leave();
    if (with_totals)
        write_with_totals(&mark);
    kp_snapshot_at_mark();
    errno = error;
}

void kp_mark_first_begin(void)
{
    struct kp_rec_mark mark = {0};
    uint64_t cookie;
    int error = errno;

    if (kp_state.iteration || kp_state.first_begun || !kp_guard_enter(&cookie))
        return;
    if (kp_start_ready() && !atomic_exchange(&kp_state.first_begun, 1)) {
        mark = (struct kp_rec_mark){KP_REC_MARK | KP_MARK_AT_BEGIN, kp_clock_us()};
        write_mark(kp_slot_get(&kp_self), &mark, NULL);
    }
    kp_guard_leave();
    errno = error;
}

KP_EXPORT void kprof_iteration(void)
{
    if (kp_iteration_takes_mark())
        kp_mark(0);
}

/* Jobs are iterations here; their names and times are for kprof-ab (shim/bare). */
KP_EXPORT uint64_t kprof_job_begin(void)
{
    kp_mark_first_begin();
    return 0;
}

KP_EXPORT void kprof_job_end(uint64_t begun, const char *name, int succeeded)
{
    (void)begun, (void)name, (void)succeeded;
    kprof_iteration();
}
