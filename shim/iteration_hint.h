/* SPDX-License-Identifier: MIT */
/*
 * What else KPROF_ITERATION may have meant, for the note that nothing was marked.
 */
#ifndef KP_ITERATION_HINT_H
#define KP_ITERATION_HINT_H

/* Has Python tell us of its end, while its modules are still there. With the GIL. */
void kp_hint_at_exit(void);

#endif
