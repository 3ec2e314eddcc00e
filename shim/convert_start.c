/* SPDX-License-Identifier: MIT */
/*
 * When conversions begin to be counted. CPython calls dlsym(handle, "PyInit_...") behind dlopen and
 * before any code of the module has run: that is when what came with the module is patched. The
 * constructor does it for what was there before. Host's threads, outside the allocator.
 */
#include "convert.h"
#include "convert_near.h"
#include "convert_own.h"
#include "got.h"
#include "hook_table.h"
#include "python.h"
#include "python_start.h"
#include "settings.h"
#include "spool.h"
#include "start.h"

#include <errno.h>
#include <pthread.h>

static bool is_ready;

static void make_ready(void)
{
    if (kp_python.frames == KP_FRAMES_OFF || !kp_settings.conversions)
        return;
    kp_hooks_resolve();
    kp_convert_near();
    if (kp_converter_get())
        kp_span_calibrate();
    is_ready = true;
}

/* Two interpreters, each with its own lock, may import at once: both wait for the first. */
static void look(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (!kp_python.is_found)
        return;
    pthread_once(&once, make_ready);
    if (!kp_settings.conversions)
        kp_state.info->conversions = KP_CONVERSIONS_OFF;
    if (!is_ready)
        return;
    kp_state.info->conversions = KP_CONVERSIONS_ON;
    kp_got_look();
}

void kp_convert_look(void)
{
    int error = errno;
    uint64_t cookie;

    if (kp_guard_enter(&cookie)) {
        if (kp_start_ready()) {
            if (!kp_python.is_found)
                kp_python_start();
            look();
        }
        kp_guard_leave();
    }
    errno = error;
}
