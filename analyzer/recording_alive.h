/* SPDX-License-Identifier: MIT */
/*
 * How many processes of a recording run, from the spool alone. For those that do not read it.
 */
#ifndef KP_RECORDING_ALIVE_H
#define KP_RECORDING_ALIVE_H

#include "spool_reader.h"

#include <stdint.h>

uint32_t kp_recording_alive(const struct kp_spool *spool);

#endif
