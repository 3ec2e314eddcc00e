/* SPDX-License-Identifier: MIT */
/*
 * What a process does to itself: ending without exit(), unloading code.
 * Host's threads. fork() needs no hook: the kernel wipes our state in the child, and a handler of
 * pthread_atfork joins it; vfork, clone with shared memory and exec are left alone.
 */
#include "finish.h"
#include "modules.h"
#include "real.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define KP_EXPORT __attribute__((visibility("default")))

KP_EXPORT int dlclose(void *);

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
