/* SPDX-License-Identifier: MIT */
/* Reads .eh_frame: the rule of one pc. See cfi.h for what a rule is. */
#ifndef KP_CFI_TABLE_H
#define KP_CFI_TABLE_H

#include "cfi.h"

struct kp_rule kp_cfi_table_rule(const uint8_t *eh_frame_hdr, uintptr_t pc);

#endif
