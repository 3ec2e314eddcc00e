/* SPDX-License-Identifier: MIT */
/*
 * Readable names of the functions that debug information describes, each made once.
 */
#ifndef KP_SYMBOLS_NAMES_H
#define KP_SYMBOLS_NAMES_H

#include "symbols_scopes.h"

#include <elfutils/libdw.h>

struct kp_symbol_names {
    void *tree; /* of tsearch(3) */
    struct kp_scopes scopes;
};

/* The name of a DW_TAG_subprogram or DW_TAG_inlined_subroutine, or NULL. It lives as long as
 * `names`. */
const char *kp_symbol_names_of(struct kp_symbol_names *names, Dwarf_Die *die);
void kp_symbol_names_release(struct kp_symbol_names *names);

#endif
