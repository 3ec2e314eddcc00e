/* SPDX-License-Identifier: MIT */
/*
 * A table entry -> scope around it for each unit that was asked about, made in one walk.
 * dwarf_getscopes_die walks half the unit for every question: 38 s for the 16,000 functions of an
 * 8,000-function unit, against 0.1 s. Runs in the collector and the reports, on one thread.
 */
#include "symbols_scopes.h"

#include "symbols_ranges.h"

#include <dwarf.h>
#include <stdint.h>
#include <stdlib.h>

#define KP_SCOPE_DEPTH 64 /* nesting of entries that is followed */

struct kp_unit_scopes {
    const void *unit;         /* where its first entry lies in memory */
    struct kp_ranges parents; /* start: where an entry lies, value: where its scope lies */
};

static bool is_scope(int tag)
{
    switch (tag) {
    case DW_TAG_subprogram:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_interface_type: return true;
    default: return false;
    }
}

static void add_children(struct kp_ranges *parents, Dwarf_Die *die, const void *scope, int depth)
{
    Dwarf_Die child;
    if (depth > KP_SCOPE_DEPTH || dwarf_child(die, &child) != 0)
        return;
    do {
        bool inner = is_scope(dwarf_tag(&child));
        uintptr_t at = (uintptr_t)child.addr;
        if (inner && scope && kp_ranges_add(parents, at, at + 1, (uintptr_t)scope) != 0)
            return;
        if (dwarf_haschildren(&child) > 0)
            add_children(parents, &child, inner ? child.addr : scope, depth + 1);
    } while (dwarf_siblingof(&child, &child) == 0);
}

static struct kp_unit_scopes *unit_of(struct kp_scopes *scopes, Dwarf_Die *die)
{
    Dwarf_Die unit;
    if (!dwarf_diecu(die, &unit, NULL, NULL))
        return NULL;
    for (size_t i = 0; i < scopes->count; i++)
        if (scopes->units[i].unit == unit.addr)
            return &scopes->units[i];
    struct kp_unit_scopes *units = realloc(scopes->units, (scopes->count + 1) * sizeof *units);
    if (!units)
        return NULL;
    scopes->units = units;
    struct kp_unit_scopes *added = &units[scopes->count++];
    *added = (struct kp_unit_scopes){.unit = unit.addr};
    add_children(&added->parents, &unit, NULL, 0);
    kp_ranges_sort(&added->parents);
    return added;
}

bool kp_scopes_leave(struct kp_scopes *scopes, Dwarf_Die *die)
{
    struct kp_unit_scopes *unit = unit_of(scopes, die);
    const struct kp_range *parent =
        unit ? kp_ranges_find(&unit->parents, (uintptr_t)die->addr) : NULL;
    Dwarf_Die scope;
    if (!parent || !dwarf_die_addr_die(dwarf_cu_getdwarf(die->cu),
                                       (void *)(uintptr_t)parent->value, &scope))
        return false;
    *die = scope;
    return true;
}

void kp_scopes_release(struct kp_scopes *scopes)
{
    for (size_t i = 0; i < scopes->count; i++)
        kp_ranges_release(&scopes->units[i].parents);
    free(scopes->units);
    *scopes = (struct kp_scopes){0};
}
