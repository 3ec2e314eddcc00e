/* SPDX-License-Identifier: MIT */
/*
 * From an address in a file to function, source file and line, with the inlined calls in between.
 * Works on files only, at any time after the run, and never asks the network. One thread at a time.
 *
 * A module is named by its path and the build-id that was recorded. A file that has another
 * build-id by now is not used; a separate debug file of the recorded build-id
 * (/usr/lib/debug/.build-id) may serve in its place. Where no build-id was recorded, the file is
 * taken as it is.
 *
 * Up to KP_SYMBOLS_OPEN modules stay open, with their tables; the one used longest ago is closed
 * for the next. So ask module by module where you can.
 */
#ifndef KP_SYMBOLS_H
#define KP_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#define KP_SYMBOLS_OPEN 16

struct kp_symbols;

struct kp_symbol_frame {
    const char *function; /* demangled, without parameters; at the worst module+0xoffset */
    const char *file;     /* "" unknown */
    int line;             /* 0 unknown */
    bool exact;           /* false: a label (symbols_labels.h), name+0xoffset, or none at all */
};

struct kp_symbols *kp_symbols_new(void); /* NULL: no memory */
void kp_symbols_free(struct kp_symbols *symbols);
/* Look for separate debug files below `directory` instead of /usr/lib/debug. Call it first. */
int kp_symbols_debug_directory(struct kp_symbols *symbols, const char *directory);

/* Frames at `address` (in the file's own address space, a return address already less one),
 * innermost first; all but the last are inlined in the next. If there are more than `max`, the
 * outermost max are given. Returns how many, at least 1 (max must be). The strings live until the
 * next call on `symbols`. path "" means no module: the name is the address. */
int kp_symbols_resolve(struct kp_symbols *symbols, const char *path, const char *build_id_hex,
                       uint64_t address, struct kp_symbol_frame *frames, int max);

/* What there is to resolve with: "debug", "symtab", "dynsym", "none", and for a file that cannot
 * be used and has no debug file either "missing" or "changed". */
const char *kp_symbols_quality(struct kp_symbols *symbols, const char *path,
                               const char *build_id_hex);

#endif
