/* SPDX-License-Identifier: MIT */
/*
 * Records samples. Host's threads, with the guard set and no lock of the allocator or the loader
 * held. Order of one allocation: decision and next gap, real call (done by the hook), guard, room
 * in the spool, stack, table, record. A sample for which there is no room is counted as lost and
 * not entered in the table, so that its free needs no telling either.
 *
 * A signal handler may run in the middle of this: its allocations pass unrecorded (counted as
 * nested), its frees of sampled blocks are noted in the slot and told when we are through.
 */
#include "sample.h"

#include "clock.h"
#include "convert.h"
#include "gap.h"
#include "python.h"
#include "python_domains.h"
#include "python_start.h"
#include "rate.h"
#include "settings.h"
#include "slots.h"
#include "snapshot.h"
#include "spool.h"
#include "stack_merge.h"
#include "start.h"
#include "state.h"
#include "unwind.h"

#include <errno.h>

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The gap ended in a thread that can't sample now: go on with a fresh one. */
static void nested(void)
{
    kp_gap_draw(&kp_self, kp_rate_now());
    if (kp_state.info && !kp_host.starting)
        count(&kp_state.info->lost_nested);
}

/* True when the countdown really ended in this allocation; a thread's first allocation only comes
 * here to have its first gap drawn. */
static bool gap_has_ended(struct kp_thread *self, size_t size)
{
    if (self->rate != 0 && self->epoch == kp_state.epoch)
        return true;
    kp_gap_seed(self);
    kp_gap_draw(self, kp_rate_now());
    self->left -= (int64_t)(KP_SAMPLED_BYTES(size) & INT64_MAX);
    return self->left < 0;
}

static void tell_free(struct kp_slot *slot, uint64_t id)
{
    uint64_t *record = slot ? kp_spool_reserve(slot, sizeof *record) : NULL;

    if (!record) {
        kp_spool_owe(id);
        return;
    }
    *record = KP_REC_FREE | id << 8;
    kp_spool_publish(slot, sizeof *record);
}

static void do_deferred(struct kp_slot *slot)
{
    while (slot->deferred_count) {
        void *pointer = slot->deferred[slot->deferred_count - 1].pointer;
        uint64_t id = slot->deferred[slot->deferred_count - 1].id;

        slot->deferred_count--;
        if (!pointer || kp_live_take(pointer, id))
            tell_free(slot, id);
    }
}

/* Our own code is through with the slot. */
static void done(struct kp_slot *slot)
{
    if (slot && KP_LIKELY_NOT(slot->deferred_count))
        do_deferred(slot);
}

/* A block that is given back by its address alone; mappings are in ranges.c. */
static bool is_block(enum kp_kind kind)
{
    return kind == KP_KIND_MALLOC || kind == KP_KIND_NEW || kind == KP_KIND_OBJECT ||
           kind == KP_KIND_MEM;
}

/* Writes the ALLOC record; returns the sample's id, or 0 when there was no room. */
static uint64_t write_alloc(struct kp_slot *slot, enum kp_kind kind, size_t size, void *block,
                            uint32_t node)
{
    struct kp_rec_alloc *record = kp_spool_reserve(slot, sizeof *record);
    uint64_t id, stale = 0;

    if (!record)
        return 0;
    /* Counted first: an id is never given twice, even if a signal handler jumps out of this. */
    id = KP_SAMPLE_ID(slot->number, slot->counter++);
    if (is_block(kind) && !kp_live_insert(block, id, &stale)) {
        slot->counter--;
        return 0;
    }
    *record = (struct kp_rec_alloc){.type = KP_REC_ALLOC,
                                    .kind = (uint8_t)kind,
                                    .flags = slot->flags,
                                    .node = node,
                                    .size = size,
                                    .address = (uintptr_t)block};
    kp_spool_publish(slot, sizeof *record);
    kp_spool_count_sample(slot);
    if (stale)
        tell_free(slot, stale);
    return id;
}

static uint64_t record(enum kp_kind kind, size_t size, void *block, uint64_t rate,
                       const struct kp_origin *origin)
{
    struct kp_slot *slot = kp_slot_get(&kp_self);
    uint64_t began = slot ? kp_rate_begin(slot) : 0, id = 0;

    if (is_block(kind))
        kp_live_expect(block);
    if (slot && kp_spool_prepare(slot, rate)) {
        uint32_t node = kp_unwind(slot, origin, kind);
        bool is_start_up = kp_stack_is_start_up(slot);

        if (is_start_up || slot->was_start_up)
            kp_spool_stamp(slot);
        slot->was_start_up = is_start_up;
        slot->flags = kp_convert_flags(slot, origin->sp);
        id = write_alloc(slot, kind, size, block, node);
    }
    if (!id)
        count(&kp_state.info->lost_samples);
    if (slot)
        kp_rate_account(slot, began);
    done(slot);
    return id;
}

/* KPROF_RATE=1 and all is set up: there is nothing to draw, each request ends the short gap. */
static bool is_every_one(const struct kp_thread *self)
{
    return self->rate == 1 && kp_settings.rate_bytes == 1 && self->epoch == kp_state.epoch &&
           !self->guard && kp_host.mode == KP_MODE_ON &&
           (kp_python_domains_settled || !(kp_python.is_found || kp_host.python_may_have_come));
}

/* A pointer that the filter let through and that is none of ours: most are, unless everything is. */
static bool is_other(void *block)
{
    return kp_settings.rate_bytes != 1 && kp_live_misses(block);
}

uint64_t kp_sample_decide(size_t size)
{
    struct kp_thread *self = &kp_self;
    uint64_t cookie, rate = 0;
    int error = errno;

    if (is_every_one(self)) {
        kp_gap_every_one(self);
        return 1;
    }
    if (!kp_guard_enter(&cookie)) {
        nested();
        return 0;
    }
    if (!kp_start_ready()) {
        kp_gap_stop(self);
    } else if (gap_has_ended(self, size)) {
        rate = self->rate;
        kp_gap_draw(self, kp_rate_now());
        kp_python_check();
    }
    kp_guard_leave();
    errno = error;
    return rate;
}

uint64_t kp_sample_alloc(enum kp_kind kind, size_t size, void *block, uint64_t rate,
                         const struct kp_origin *origin)
{
    uint64_t cookie, id = 0;
    int error = errno;

    if (!rate || !block)
        return 0;
    if (!kp_guard_enter(&cookie)) {
        count(&kp_state.info->lost_nested);
        return 0;
    }
    if (kp_start_ready())
        id = record(kind, size, block, rate, origin);
    kp_guard_leave();
    if (id && is_block(kind) && KP_LIKELY_NOT(kp_snapshot_may_be_due(kp_self.slot)))
        kp_snapshot_look();
    errno = error;
    return id;
}

/* In a signal handler that interrupted our own code: leave word for it. */
static void take_nested(void *block)
{
    struct kp_slot *slot = kp_self.epoch == kp_state.epoch ? kp_self.slot : NULL;
    void *again = NULL;
    uint64_t id;

    if (kp_live_is_held_by_us(block)) {
        id = kp_live_peek(block);
        again = block;
    } else {
        id = kp_live_take(block, 0);
    }
    if (!id)
        return;
    if (!slot || slot->deferred_count == sizeof slot->deferred / sizeof *slot->deferred) {
        count(&kp_state.info->lost_frees);
        return;
    }
    slot->deferred[slot->deferred_count].pointer = again;
    slot->deferred[slot->deferred_count].id = id;
    slot->deferred_count++;
}

/* Where the end of a sample will be told. */
struct ending {
    struct kp_slot *slot;
    uint64_t began;
    bool has_room;
};

static struct ending ending_begin(void)
{
    struct kp_slot *slot = kp_host.mode == KP_MODE_ON ? kp_slot_get(&kp_self) : NULL;

    return (struct ending){.slot = slot,
                           .began = slot ? kp_rate_begin(slot) : 0,
                           .has_room = slot && kp_spool_prepare(slot, slot->rate)};
}

static void ending_tell(const struct ending *ending, uint64_t id)
{
    tell_free(ending->has_room ? ending->slot : NULL, id);
    if (ending->has_room)
        kp_rate_account_free(ending->slot, ending->began);
    done(ending->slot);
}

void kp_sample_freed_in_guard(uint64_t id)
{
    struct ending ending = ending_begin();

    ending_tell(&ending, id);
}

uint64_t kp_sample_take(void *block)
{
    uint64_t cookie, id;
    int error = errno;

    if (kp_state.epoch == 0 || is_other(block)) {
        kp_rate_probe();
        return 0;
    }
    if (!kp_guard_enter(&cookie)) {
        take_nested(block);
        return 0;
    }
    id = kp_live_take(block, 0);
    kp_guard_leave();
    errno = error;
    return id;
}

void kp_sample_freed(uint64_t id)
{
    uint64_t cookie;
    int error = errno;

    if (kp_guard_enter(&cookie)) {
        kp_sample_freed_in_guard(id);
        kp_guard_leave();
    } else {
        count(&kp_state.info->lost_frees);
    }
    errno = error;
}

void kp_sample_free(void *block)
{
    uint64_t cookie, id;
    int error = errno;

    if (kp_state.epoch == 0 || is_other(block)) {
        kp_rate_probe();
        return;
    }
    kp_live_expect(block);
    if (kp_snapshot_python_has_ended())
        kp_snapshot_at_end();
    if (!kp_guard_enter(&cookie)) {
        take_nested(block);
        return;
    }
    struct ending ending = ending_begin(); /* meanwhile what is expected comes nearer */
    id = kp_live_take(block, 0);
    if (id)
        ending_tell(&ending, id);
    kp_guard_leave();
    errno = error;
}

void kp_sample_put_back(void *block, uint64_t id)
{
    uint64_t cookie, stale;
    int error = errno;

    if (!kp_guard_enter(&cookie)) {
        count(&kp_state.info->lost_frees);
        return;
    }
    if (!kp_live_insert(block, id, &stale))
        count(&kp_state.info->lost_frees);
    kp_guard_leave();
    errno = error;
}

void kp_sample_resized_in_guard(uint64_t id, uint64_t bytes_left)
{
    struct ending ending = ending_begin();
    struct kp_rec_resize *record =
        ending.has_room ? kp_spool_reserve(ending.slot, sizeof *record) : NULL;

    if (record) {
        *record = (struct kp_rec_resize){KP_REC_RESIZE | id << 8, bytes_left};
        kp_spool_publish(ending.slot, sizeof *record);
    } else {
        count(&kp_state.info->lost_frees);
    }
    done(ending.slot);
}
