/* SPDX-License-Identifier: MIT */
/*
 * The linkage name, demangled, has all namespaces and template arguments. Compilers leave it out
 * for functions that no other unit sees; then the name is put together from the enclosing scopes.
 * Names are kept by the entry that holds them: an inlined function has one, however often it is
 * inlined. Runs in the collector and the reports, on one thread.
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

/* From an instance to what it is an instance of, and from a definition to where it was declared. */
static void follow_all(Dwarf_Die *die, unsigned attribute)
{
    for (int i = 0; i < KP_ORIGINS_MAX && follow(die, attribute); i++)
        continue;
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
    if (name)
        return name;
    if (dwarf_tag(scope) == DW_TAG_namespace)
        return "(anonymous namespace)";
    bool lambda = strncmp(member, "operator()", 10) == 0 || strcmp(member, "_FUN") == 0;
    return lambda ? "{lambda}" : "{unnamed}";
}

/* "a::b::name" */
static char *scoped_name(struct kp_scopes *scopes, Dwarf_Die declaration,
                         const char *name)
{
    char *text = strdup(name);
    while (text && strlen(text) < KP_DEMANGLED_MAX) {
        follow_all(&declaration, DW_AT_abstract_origin);
        follow_all(&declaration, DW_AT_specification);
        if (!kp_scopes_leave(scopes, &declaration))
            break;
        const char *outer = scope_name(&declaration, text);
        char *joined = NULL;
        if (asprintf(&joined, "%s::%s", outer, text) < 0)
            joined = NULL;
        free(text);
        text = joined;
    }
    return text;
}

static char *make_name(struct kp_scopes *scopes, Dwarf_Die *die)
{
    char *name = linkage_name(die);
    const char *plain = name ? NULL : dwarf_diename(die);
    if (name || !plain || !*plain)
        return name;
    if (!has_namespaces(die))
        return kp_demangle(plain);
    return scoped_name(scopes, *die, plain);
}

const char *kp_symbol_names_of(struct kp_symbol_names *names, Dwarf_Die *die)
{
    Dwarf_Die origin = *die;
    follow_all(&origin, DW_AT_abstract_origin);
    struct name *made = calloc(1, sizeof *made), **found = NULL;
    if (!made)
        return NULL;
    made->key = origin.addr;
    found = tsearch(made, &names->tree, compare);
    if (found && *found == made) {
        made->text = make_name(&names->scopes, &origin);
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

void kp_symbol_names_release(struct kp_symbol_names *names)
{
    tdestroy(names->tree, free_name);
    names->tree = NULL;
    kp_scopes_release(&names->scopes);
}
