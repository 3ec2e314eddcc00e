/* SPDX-License-Identifier: MIT */
/*
 * Names of a module's functions from its symbol table, for code without debug information.
 */
#ifndef KP_SYMBOLS_TABLE_H
#define KP_SYMBOLS_TABLE_H

#include "symbols_ranges.h"

#include <elfutils/libdwfl.h>
#include <stdbool.h>

/* A symbol that is further below than this says nothing about an address. */
#define KP_SYMBOL_REACH_BYTES (64 << 10)

struct kp_symbol_table {
    struct kp_ranges symbols; /* value: the name, a const char * that belongs to the Dwfl */
    struct kp_ranges code;    /* sections (or else segments) with code; value: the section's name */
};

/* `full`: local symbols are in the table too, so that a function without a size (assembly) reaches
 * up to the next symbol. */
int kp_symbol_table_init(struct kp_symbol_table *table, Dwfl_Module *module, bool full);
void kp_symbol_table_release(struct kp_symbol_table *table);

/* The mangled name at or below `address`, or NULL. *exact: it holds the address, else the nearest
 * below within reach, *offset bytes away. */
const char *kp_symbol_table_find(const struct kp_symbol_table *table, uint64_t address,
                                 uint64_t *offset, bool *exact);

#endif
