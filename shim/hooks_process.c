/* SPDX-License-Identifier: MIT */
/*
 * What a process does to itself: ending without exit(), unloading code, marking an iteration.
 * Host's threads. fork() needs no hook: the kernel wipes our state in the child, and a handler of
 * pthread_atfork joins it; vfork, clone with shared memory and exec are left alone.
 */
#include "clock.h"
#include "finish.h"
#include "modules.h"
#include "real.h"
#include "slots.h"
#include "spool.h"
#include "start.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define KP_EXPORT __attribute__((visibility("default")))

KP_EXPORT int dlclose(void *);
KP_EXPORT void kprof_iteration(void);

KP_EXPORT void _exit(int status)
{
    kp_finish();
    for (;;)
        kp_real._exit(status);
}

KP_EXPORT void _Exit(int status)
{
    _exit(status);
}

KP_EXPORT void quick_exit(int status)
{
    kp_finish();
    for (;;)
        kp_real.quick_exit(status);
}

KP_EXPORT int dlclose(void *handle)
{
    int result = kp_real.dlclose(handle), error = errno;
    uint64_t cookie;

    if (kp_state.epoch && kp_guard_enter(&cookie)) {
        kp_real_resolve(); /* an operator new may have gone with it */
        kp_modules_recheck();
        kp_guard_leave();
    }
    errno = error;
    return result;
}

static void mark(struct kp_slot *slot, uint64_t number)
{
    struct kp_rec_mark *record = kp_spool_reserve(slot, sizeof *record);

    if (!record)
        return;
    *record = (struct kp_rec_mark){KP_REC_MARK | number << 8, kp_clock_us()};
    kp_spool_publish(slot, sizeof *record);
}

KP_EXPORT void kprof_iteration(void)
{
    uint64_t cookie;
    int error = errno;

    if (!kp_guard_enter(&cookie))
        return;
    if (kp_start_ready()) {
        struct kp_slot *slot = kp_slot_get(&kp_self);
        uint64_t number = atomic_fetch_add(&kp_state.iteration, 1) + 1;

        if (slot && kp_spool_prepare(slot, slot->rate))
            mark(slot, number);
    }
    kp_guard_leave();
    errno = error;
}
