/* SPDX-License-Identifier: MIT */
/*
 * See site_threads.h.
 */
#include "site_threads.h"

#include "alloc.h"

#include <string.h>

void kp_site_threads_count(struct kp_site_threads **threads, const char name[KP_THREAD_NAME_BYTES])
{
    if (!*threads)
        *threads = kp_alloc(sizeof **threads);
    for (int i = 0; i < KP_SITE_THREADS; i++) {
        char *known = (*threads)->rows[i].name;

        if ((*threads)->rows[i].samples == 0)
            memcpy(known, name, KP_THREAD_NAME_BYTES);
        if (strncmp(known, name, KP_THREAD_NAME_BYTES) == 0) {
            (*threads)->rows[i].samples++;
            return;
        }
    }
    (*threads)->others++;
}
