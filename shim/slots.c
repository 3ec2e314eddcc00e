/* SPDX-License-Identifier: MIT */
/*
 * Slots. Host's threads, with the guard set. A slot's memory is private and wiped in forked
 * children, where kp_state.slots is wiped too.
 *
 * Looking for dead owners costs a system call a slot, so it is done when the number of slots has
 * doubled since the last time: 10,000 threads one after another use a handful.
 */
#include "slots.h"

#include "stack_memo.h"
#include "gap.h"
#include "sys.h"

#include <errno.h>
#include <stdatomic.h>

#define SWEEP_FIRST 8

static struct kp_slot *take_existing(uint32_t tid)
{
    uint32_t slots = kp_state.slot_count;

    for (uint32_t i = 0; i < slots; i++) {
        struct kp_slot *slot = kp_state.slots[i];
        uint32_t owner = slot ? atomic_load(&slot->owner) : UINT32_MAX;

        if (owner == tid || (owner == 0 && atomic_compare_exchange_strong(&slot->owner, &owner, tid)))
            return slot;
    }
    return NULL;
}

/* Under slots_lock: frees the slots of dead threads. */
static void sweep(uint32_t tid)
{
    uint32_t alive = 0;

    for (uint32_t i = 0; i < kp_state.slot_count; i++) {
        struct kp_slot *slot = kp_state.slots[i];
        uint32_t owner = atomic_load(&slot->owner);

        if (owner == 0 || owner == tid)
            continue;
        if (KP_SYS3(SYS_tgkill, kp_state.pid, owner, 0) == -ESRCH)
            atomic_compare_exchange_strong(&slot->owner, &owner, 0);
        else
            alive++;
    }
    kp_state.slots_sweep_at = 2 * alive + SWEEP_FIRST;
}

static struct kp_slot *slot_new(uint32_t number, uint32_t tid)
{
    size_t frames = sizeof(struct kp_frame) * KP_STACK_DEPTH_MAX;
    size_t python = sizeof(struct kp_py_frame) * KP_PYTHON_DEPTH_MAX;
    size_t memos = sizeof(struct kp_memo) * KP_MEMOS;
    size_t checks = sizeof(struct kp_frame_check) * KP_STACK_DEPTH_MAX;
    struct kp_slot *slot =
        kp_sys_map_wiped(sizeof *slot + 2 * frames + 2 * python + memos + checks);

    if (!slot)
        return NULL;
    slot->number = number;
    slot->counter = 1; /* 0 is no sample's id */
    slot->frames = (struct kp_frame *)(slot + 1);
    slot->fresh = slot->frames + KP_STACK_DEPTH_MAX;
    slot->py = (struct kp_py_frame *)(slot->fresh + KP_STACK_DEPTH_MAX);
    slot->py_fresh = slot->py + KP_PYTHON_DEPTH_MAX;
    slot->memos = (struct kp_memo *)(slot->py_fresh + KP_PYTHON_DEPTH_MAX);
    slot->checks = (struct kp_frame_check *)(slot->memos + KP_MEMOS);
    atomic_store(&slot->owner, tid);
    return slot;
}

/* Under slots_lock. */
static struct kp_slot *find_or_make(uint32_t tid)
{
    uint32_t number = kp_state.slot_count;
    struct kp_slot *slot;

    if (number >= (kp_state.slots_sweep_at ? kp_state.slots_sweep_at : SWEEP_FIRST)) {
        sweep(tid);
        slot = take_existing(tid);
        if (slot)
            return slot;
    }
    slot = number < KP_SLOTS_MAX ? slot_new(number, tid) : NULL;
    if (slot) {
        kp_state.slots[number] = slot;
        kp_state.slot_count = number + 1;
    }
    return slot;
}

/* In whose name a slot is taken. A child of vfork borrows the memory of the thread that made it: it
 * goes by that one's tid where we know it, since its own will be dead while the slot is in use. */
static uint32_t own_tid(void)
{
    if (kp_sys_getpid() == kp_state.pid)
        return (uint32_t)kp_sys_gettid();
    if ((uintptr_t)__builtin_thread_pointer() == kp_host.main_thread)
        return (uint32_t)kp_state.pid;
    return 0;
}

struct kp_slot *kp_slot_take(struct kp_thread *self)
{
    uint32_t tid;

    if (kp_state.epoch == 0)
        return NULL;
    tid = own_tid();
    if (!tid)
        return NULL;
    struct kp_slot *slot = take_existing(tid);
    if (!slot && kp_spin_lock(&kp_state.slots_lock)) {
        slot = find_or_make(tid);
        kp_spin_unlock(&kp_state.slots_lock);
    }
    if (slot) {
        /* The thread may be another one than the slot's last: nothing of its stack is known. */
        slot->depth = 0;
        slot->stack_low = slot->stack_high = 0;
    }
    if (self->epoch != kp_state.epoch)
        kp_gap_seed(self);
    self->slot = slot;
    return slot;
}
