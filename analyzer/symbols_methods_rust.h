/* SPDX-License-Identifier: MIT */
/*
 * The tables from which PyO3 makes Python's when a module is loaded.
 */
#ifndef KP_SYMBOLS_METHODS_RUST_H
#define KP_SYMBOLS_METHODS_RUST_H

#include "symbols_fields.h"
#include "symbols_methods.h"

/* How large a record of this file's tables of methods is. */
uint64_t kp_pyo3_record_bytes(const struct kp_fields *fields);
/* Names the functions of the table that `pointer` points to, if it is one. -1: no memory */
int kp_methods_of_pyo3(struct kp_methods *methods, const struct kp_fields *fields,
                       const struct kp_pointer *pointer, uint64_t record_bytes);

#endif
