/* SPDX-License-Identifier: MIT */
/*
 * Counting the calls of a function or method of native code.
 */
#ifndef KP_ITERATION_NATIVE_H
#define KP_ITERATION_NATIVE_H

#include "iteration_api.h"

/* Every call from Python by this definition is counted from now on. With the GIL. */
void kp_native_count(struct kp_method_definition *definition);

/* Nothing else has to be watched. */
bool kp_native_is_counted(void);

#endif
