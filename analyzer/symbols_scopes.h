/* SPDX-License-Identifier: MIT */
/*
 * Which namespace, class or function an entry of the debug information stands in. DWARF has no way
 * up: entries only say where the next one is.
 */
#ifndef KP_SYMBOLS_SCOPES_H
#define KP_SYMBOLS_SCOPES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

struct kp_unit_scopes;
struct kp_scopes {
    struct kp_unit_scopes *units;
    size_t count;
};

/* Makes *die the scope around it; false at the top. */
bool kp_scopes_leave(struct kp_scopes *scopes, Dwarf_Die *die);
void kp_scopes_release(struct kp_scopes *scopes);

#endif
