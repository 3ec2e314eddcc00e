/* SPDX-License-Identifier: MIT */
/*
 * A module's debug information (DWARF 2 to 5, split DWARF and dwz as libdw reads them), indexed so
 * that an address costs two bisections and the entries of one function.
 */
#ifndef KP_SYMBOLS_DWARF_H
#define KP_SYMBOLS_DWARF_H

#include "symbols.h"

#include <elfutils/libdw.h>

struct kp_dwarf;
struct kp_ranges;

/* `bias` is what to subtract from an address of the module, `code` are its ranges with code; both
 * the Dwarf and `code` must live longer. NULL: no memory, or no unit that has code. */
struct kp_dwarf *kp_dwarf_new(Dwarf *dwarf, uint64_t bias, const struct kp_ranges *code);
void kp_dwarf_free(struct kp_dwarf *dwarf);

/* As kp_symbols_resolve; 0 when nothing is known. A frame's function is NULL when only its line is
 * known. */
int kp_dwarf_resolve(struct kp_dwarf *dwarf, uint64_t address, struct kp_symbol_frame *frames,
                     int max);

#endif
