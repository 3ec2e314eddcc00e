/* SPDX-License-Identifier: MIT */
/*
 * Seeing Python functions start, for iterations by name: by sys.monitoring where there is one
 * (3.12 and later), else by the frame evaluation hook. With the GIL, at a safe moment.
 */
#ifndef KP_ITERATION_MONITOR_H
#define KP_ITERATION_MONITOR_H

#include <stdbool.h>

/* False: not now. */
bool kp_monitor_install(void);
bool kp_eval_install(void);

/* At the end of Python: has somebody else put his evaluation hook in the place of ours? */
bool kp_eval_is_displaced(void);

#endif
