/* SPDX-License-Identifier: MIT */
/*
 * How the labels of symbols_labels.h read. All strings are to be freed; NULL: no memory.
 */
#ifndef KP_SYMBOLS_LABEL_TEXT_H
#define KP_SYMBOLS_LABEL_TEXT_H

#include "symbols_places.h"

#define KP_LABEL_IMPORTS 3 /* as many are named */

enum kp_label_relation {
    KP_LABEL_CALLED, /* called from */
    KP_LABEL_TABLE,  /* in a table of: a vtable that is used there */
    KP_LABEL_BELOW,  /* called below: by a function that is called from there, or further down */
};

/* "/x/_orders.cpython-311-x86_64-linux-gnu.so" to "orders" */
char *kp_label_module(const char *path);
enum kp_place_origin kp_label_origin(const struct kp_place *place);
/* "serde_json-1.0.154/src/de.rs"; of the crate that was built as it is: "src/model.rs" */
char *kp_label_file(const struct kp_place *place);
/* "serde_json-1.0.154: src/de.rs:212 (nearby)"; line 0: none */
char *kp_label_place(const char *module, const struct kp_place *place, int line);
/* "orders+0x1dbb (called from src/de.rs and 3 more)" */
char *kp_label_called(const char *module, uint64_t start, const char *caller,
                      enum kp_label_relation relation, size_t callers);
char *kp_label_calls(const char *module, uint64_t start, const char *imports);
/* "PyDict_New, malloc" */
char *kp_label_imports(const char *const *names, size_t count);

#endif
