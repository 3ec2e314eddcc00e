/* SPDX-License-Identifier: MIT */
/*
 * The session: one spool, one database, all processes of the tree. A process joins the session of
 * its parent (told by KPROF_SESSION, or found in the parent's mappings when the environment was
 * made anew) or makes one.
 */
#ifndef KP_SESSION_H
#define KP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

/* Maps a spool into kp_host. False: this process is not recorded (told on stderr if an error). */
bool kp_session_open(void);

/* A number for this process, 0 when the session is closed. */
uint32_t kp_session_number(void);

/* Inode of this process's pid namespace, 0 when /proc does not tell. */
uint64_t kp_session_pid_namespace(void);

#endif
