/* SPDX-License-Identifier: MIT */
/*
 * The linkage name, demangled, has all namespaces and template arguments. Compilers leave it out for
 * functions that no other unit sees; then the name is put together from the enclosing scopes, which
 * costs a walk through the unit, so names are kept by the entry that holds them (an inlined function
 * has one, however often it is inlined). Runs in the collector and the reports, on one thread.
 */
#include "symbols_names.h"

#include "demangle.h"

#include <dwarf.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KP_ORIGINS_MAX 16 /* steps from an instance to its declaration */

struct name {
    const void *key; /* where the entry lies in memory */
    char *text;      /* NULL: it has none */
};

static int compare(const void *left, const void *right)
{
    const struct name *a = left, *b = right;
    return ((uintptr_t)a->key > (uintptr_t)b->key) - ((uintptr_t)a->key < (uintptr_t)b->key);
}

static bool follow(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute reference;
    Dwarf_Die target;
    if (!dwarf_attr(die, attribute, &reference) || !dwarf_formref_die(&reference, &target))
        return false;
    *die = target;
    return true;
}

static char *linkage_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *text = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        text = dwarf_formstring(&attribute);
    char *name = text && *text ? kp_demangle(text) : NULL;
    if (name && kp_is_mangled(name)) {
        free(name);
        name = NULL;
    }
    return name;
}

static bool has_namespaces(Dwarf_Die *die)
{
    Dwarf_Die unit;
    switch (dwarf_diecu(die, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1) {
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case DW_LANG_Rust:
    case DW_LANG_D:
    case DW_LANG_Swift: return true;
    default: return false;
    }
}

static const char *scope_name(Dwarf_Die *scope, const char *member)
{
    const char *name = dwarf_diename(scope);
    bool lambda = strncmp(member, "operator()", 10) == 0 || strcmp(member, "_FUN") == 0;
    switch (dwarf_tag(scope)) {
    case DW_TAG_namespace: return name ? name : "(anonymous namespace)";
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_interface_type:
    case DW_TAG_module:
    case DW_TAG_subprogram: return name ? name : lambda ? "{lambda}" : "{unnamed}";
    default: return NULL;
    }
}

/* "a::b::name": the scopes come innermost first, the first is the entry itself. */
static char *scoped_name(Dwarf_Die *declaration, const char *name)
{
    Dwarf_Die *scopes = NULL;
    int count = dwarf_getscopes_die(declaration, &scopes);
    char *text = strdup(name);
    for (int i = 1; text && i < count && strlen(text) < KP_DEMANGLED_MAX; i++) {
        const char *outer = scope_name(&scopes[i], text);
        char *joined = NULL;
        if (!outer)
            continue;
        if (asprintf(&joined, "%s::%s", outer, text) < 0)
            joined = NULL;
        free(text);
        text = joined;
    }
    free(scopes);
    return text;
}

static char *make_name(Dwarf_Die *die)
{
    Dwarf_Die declaration = *die;
    char *name = linkage_name(die);
    const char *plain = name ? NULL : dwarf_diename(die);
    if (name || !plain || !*plain)
        return name;
    if (!has_namespaces(die))
        return kp_demangle(plain);
    for (int i = 0; i < KP_ORIGINS_MAX && follow(&declaration, DW_AT_specification); i++)
        continue;
    return scoped_name(&declaration, plain);
}

const char *kp_names_of(struct kp_names *names, Dwarf_Die *die)
{
    Dwarf_Die origin = *die;
    for (int i = 0; i < KP_ORIGINS_MAX && follow(&origin, DW_AT_abstract_origin); i++)
        continue;
    struct name *made = calloc(1, sizeof *made), **found = NULL;
    if (!made)
        return NULL;
    made->key = origin.addr;
    found = tsearch(made, &names->tree, compare);
    if (found && *found == made) {
        made->text = make_name(&origin);
        return made->text;
    }
    free(made);
    return found ? (*found)->text : NULL;
}

static void free_name(void *node)
{
    struct name *name = node;
    free(name->text);
    free(name);
}

void kp_names_release(struct kp_names *names)
{
    tdestroy(names->tree, free_name);
    names->tree = NULL;
}
