/* SPDX-License-Identifier: MIT */
/*
 * Which object a pc belongs to. A module is told to the reader when the first of its frames is.
 */
#ifndef KP_MODULES_H
#define KP_MODULES_H

#include <stdbool.h>
#include <stdint.h>

/* Under definitions_lock: the module's id, told before; 0: none, or no room to tell it. */
uint32_t kp_module_of(uintptr_t pc);

/* Some object may have been unloaded (dlclose): forget those that are gone. */
void kp_modules_recheck(void);

/* Is this address code or data of a loaded object? Takes no lock with glibc 2.35 and later. On
 * success the object's .eh_frame_hdr (or NULL) as well. */
bool kp_object_of(uintptr_t pc, const uint8_t **eh_frame_hdr);

#endif
