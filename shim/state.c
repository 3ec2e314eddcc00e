/* SPDX-License-Identifier: MIT */
/*
 * Where the process-wide state lives, and the switch that ends a recording early. Any thread. In a
 * file of its own so that the parts that need no more than this can be tested without the start.
 */
#include "state.h"

#include "spool.h"

#include <string.h>

struct kp_state kp_state;
struct kp_host kp_host;

void kp_off(const char *why)
{
    if (atomic_exchange(&kp_host.mode, KP_MODE_OFF) == KP_MODE_ON && kp_state.definitions &&
        !atomic_load(&kp_state.definitions_lock.owner))
        kp_spool_text(KP_TEXT_NOTE, why, (uint32_t)strlen(why));
}
