/* SPDX-License-Identifier: MIT */
/*
 * Names of PLT stubs (malloc@plt): an x86-64 stub jumps through a GOT slot, and the slot's
 * relocation names the function.
 */
#ifndef KP_SYMBOLS_PLT_H
#define KP_SYMBOLS_PLT_H

#include "symbols_ranges.h"

#include <gelf.h>

struct kp_plt {
    struct kp_ranges stubs; /* value: the name, which belongs to the Elf; 0: no relocation */
};

int kp_plt_init(struct kp_plt *plt, Elf *elf);
void kp_plt_release(struct kp_plt *plt);

#endif
