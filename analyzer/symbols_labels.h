/* SPDX-License-Identifier: MIT */
/*
 * What a function of a stripped file may be called when no table of symbols knows it. Not guesses:
 * each label says what was found, so that a reader can tell it from a name.
 *
 *   scanstring (method)                               how Python calls it; exact
 *   serde_json-1.0.154: src/de.rs:212 (nearby)        a panic of this place is close to the address
 *   serde_json-1.0.154: src/de.rs (nearby)            the function has code of this file in it
 *   orders+0x1dbbd0 (called from src/de.rs)           what calls it has such a label
 *   orders+0x1dbbd0 (in a table of src/de.rs)         as a method of a trait object is
 *   orders+0x1dbbd0 (calls PyDict_New, malloc)        what it asks of others
 */
#ifndef KP_SYMBOLS_LABELS_H
#define KP_SYMBOLS_LABELS_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_labels;
struct kp_symbol_table;

struct kp_label {
    char *function; /* to be freed */
    char *file;     /* to be freed; "src/de.rs", below its crate if that is another; "" unknown */
    int line;       /* 0: the label is about the whole function */
    bool exact;
};

/* `path` is the file's: its own crate is called after it. `symbols` name callers. Reads all code
 * once, about 10 ms a megabyte. NULL: no memory, or a file with nothing to label by. The Elf and
 * `symbols` must live longer. */
struct kp_labels *kp_labels_new(Elf *elf, const char *path,
                                const struct kp_symbol_table *symbols);
void kp_labels_free(struct kp_labels *labels);

/* false: nothing is known. */
bool kp_labels_find(const struct kp_labels *labels, uint64_t address, struct kp_label *label);
/* The function around `address`, by the unwind tables; false when they have none. */
bool kp_labels_function(const struct kp_labels *labels, uint64_t address, uint64_t *start,
                        uint64_t *end);

#endif
