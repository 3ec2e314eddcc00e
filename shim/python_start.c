/* SPDX-License-Identifier: MIT */
/*
 * Runs in the constructor; in a program that loads libpython itself, in the first sample after one
 * that showed a frame of it.
 */
#include "python_start.h"

#include "python.h"
#include "python_domains.h"
#include "python_layout.h"
#include "spool.h"
#include "state.h"

#include <string.h>

static void tell_unknown(void)
{
    static const char before[] = "Python ", after[] = " is none that kprof knows (3.9 to 3.14): "
                                                      "stacks are native ones alone";
    char note[sizeof before + sizeof after + sizeof kp_python.version];
    size_t length = strlen(kp_python.version);

    memcpy(note, before, sizeof before - 1);
    memcpy(note + sizeof before - 1, kp_python.version, length);
    memcpy(note + sizeof before - 1 + length, after, sizeof after);
    kp_spool_text(KP_TEXT_NOTE, note, (uint32_t)strlen(note));
}

void kp_python_start(void)
{
    kp_host.python_may_have_come = false;
    if (!kp_python_find())
        return;
    kp_spool_text(KP_TEXT_PYTHON, kp_python.version, (uint32_t)strlen(kp_python.version));
    if (!kp_py_layout_init())
        kp_python.frames = KP_FRAMES_OFF;
    if (kp_python.frames == KP_FRAMES_OFF)
        tell_unknown();
    kp_python_domains_wrap();
}

void kp_python_check(void)
{
    if (kp_host.python_may_have_come && !kp_python.is_found)
        kp_python_start();
    else if (kp_python.is_found && !kp_python_domains_settled)
        kp_python_domains_wrap();
}
