/* SPDX-License-Identifier: MIT */
/*
 * When conversions begin to be counted. CPython calls dlsym(handle, "PyInit_...") behind dlopen and
 * before any code of the module has run: that is when what came with the module is patched. The
 * constructor does it for what was there before. Host's threads, outside the allocator.
 */
#include "convert.h"
#include "convert_own.h"
#include "got.h"
#include "hook_table.h"
#include "python.h"
#include "python_start.h"
#include "settings.h"
#include "spool.h"
#include "start.h"

#include <errno.h>

/* Once: the interpreter is one whose objects we can read. */
static bool make_ready(void)
{
    static bool tried, is_ready;

    if (!kp_python.is_found || tried)
        return is_ready;
    tried = true;
    if (kp_python.frames == KP_FRAMES_OFF || !kp_settings.conversions)
        return false;
    kp_hooks_resolve();
    if (kp_converter_get())
        kp_span_calibrate();
    is_ready = true;
    return true;
}

static void look(void)
{
    bool is_ready = make_ready();

    if (kp_python.is_found && !kp_settings.conversions)
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
