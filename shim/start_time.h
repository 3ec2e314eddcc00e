/* SPDX-License-Identifier: MIT */
/*
 * How long ago the program of this process began, when this is called: once, in the first
 * allocation of the process, by its main thread.
 */
#ifndef KP_START_TIME_H
#define KP_START_TIME_H

#include <stdint.h>

uint64_t kp_start_time_ago_ns(void);

#endif
