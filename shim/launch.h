/* SPDX-License-Identifier: MIT */
/* Starts kprof-collect for the session that this process has made. */
#ifndef KP_LAUNCH_H
#define KP_LAUNCH_H

/* In the constructor. Nothing happens when it cannot be started: the spool keeps everything. */
void kp_launch_collector(void);

#endif
