/* SPDX-License-Identifier: MIT */
/* The end of a process that has the time to say so. */
#ifndef KP_FINISH_H
#define KP_FINISH_H

/* Notes the end; the session's first process prints the closing line. Once a process. */
void kp_finish(void);

#endif
